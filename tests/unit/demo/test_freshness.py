"""A probe is timed from when it was produced until the features know it."""

from collections.abc import Sequence

from demo.freshness import FreshnessProbe
from interlude.features.codec import encode_hot, hot_key
from interlude.features.fold import fold
from interlude.features.state import Listen, ListenerState
from interlude.servicekit.producing import KafkaHeaders
from interlude.v1 import events_pb2 as pb


class World:
    """Kafka, enricher and Redis in one: a listen becomes readable when the test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.waiting: list[pb.Listen] = []
        self.values: dict[str, bytes] = {}

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool:
        listen = pb.Listen.FromString(value or b"")
        assert (topic, key) == ("listens", b"%d" % listen.customer_id)
        assert headers
        self.waiting.append(listen)
        return True

    def enrich(self) -> None:
        for listen in self.waiting:
            state = fold(ListenerState(), Listen(listen.played_at_ms, 1, 1, False, 0)).state
            self.values[hot_key(listen.customer_id)] = encode_hot(state)
        self.waiting = []

    def read(self, keys: Sequence[str]) -> list[bytes | None]:
        return [self.values.get(key) for key in keys]

    def probe(self) -> FreshnessProbe:
        return FreshnessProbe(self, self, self.read, lambda: self.seconds, lambda: round(self.seconds * 1000))


def test_a_probe_is_timed_until_it_is_readable() -> None:
    world = World()
    probe = world.probe()
    probe.send_probe()
    world.seconds += 0.004
    probe.look()
    assert probe.latencies_ms == []
    world.enrich()
    world.seconds += 0.001
    probe.look()
    assert [round(latency) for latency in probe.latencies_ms] == [5]
    assert probe.outstanding == []


def test_an_older_listen_of_the_same_customer_does_not_count() -> None:
    world = World()
    probe = world.probe()
    for _ in range(8):
        probe.send_probe()
    world.enrich()
    probe.look()
    world.seconds += 0.2
    probe.send_probe()  # the first customer's second listen
    probe.look()
    assert len(probe.latencies_ms) == 8
    assert len(probe.outstanding) == 1


def test_a_probe_that_never_arrives_is_lost_and_not_waited_for() -> None:
    world = World()
    probe = world.probe()
    probe.send_probe()
    world.seconds += 10
    probe.look()
    assert probe.outstanding == []
    assert probe.result() == {"probes": 0, "lost": 1, "produced": 1}


def test_the_background_is_produced_and_not_timed() -> None:
    world = World()
    probe = world.probe()
    probe.send_background()
    probe.send_probe()
    world.enrich()
    probe.look()
    assert probe.result()["produced"] == 2
    assert probe.result()["probes"] == 1
    assert len(set(world.values)) == 2
