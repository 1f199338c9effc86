"""An erasure step by step on fakes, and what its receipt says of Kafka."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from interlude.events.topics import Topic
from interlude.features.codec import encode_state
from interlude.features.fold import fold
from interlude.features.state import Listen, ListenerState
from interlude.servicekit.topic_retention import Retention
from interlude.v1 import events_pb2 as pb
from services.enricher.erasing import EraseFailed, Eraser

NOW_MS = 1_700_000_000_000
DAY_MS = 86_400_000
FOR_EVER = 2**63 - 1
KEPT = Retention(4, is_compacted=False, is_deleted=True, retention_ms=-1, segment_ms=DAY_MS, compaction_lag_ms=FOR_EVER)


class FakeRedis:
    """Keys in a dictionary."""

    def __init__(self, kept: dict[str, bytes]) -> None:
        self.kept = {key.encode(): value for key, value in kept.items()}

    def scan(self, _cursor: int, count: int) -> tuple[int, list[bytes]]:
        assert count
        return 0, sorted(self.kept)

    def get(self, key: str) -> bytes | None:
        return self.kept.get(key.encode())

    def mget(self, keys: Sequence[str | bytes]) -> list[bytes | None]:
        return [self.kept.get(key.encode() if isinstance(key, str) else key) for key in keys]

    def strlen(self, key: bytes) -> int:
        return len(self.kept.get(key, b""))

    def exists(self, key: str) -> int:
        return int(key.encode() in self.kept)

    def unlink(self, key: bytes) -> int:
        return int(self.kept.pop(key, None) is not None)


class FakeSink:
    """Writes down what it is sent; `on_flush` is what others do with it."""

    def __init__(self, on_flush: Callable[[], object]) -> None:
        self.sent: list[tuple[str, bytes | None, bytes | None]] = []
        self._on_flush = on_flush

    def send(self, topic: str, key: bytes | None, value: bytes | None, _headers: Any = None) -> bool:
        self.sent.append((topic, key, value))
        return True

    def flush(self, _timeout_seconds: float) -> None:
        self._on_flush()


class World:
    """One customer, 7, of whom there is this in Redis, and an enricher that applies an erasure as soon as it is written."""

    def __init__(self, kept: dict[str, bytes], topics: dict[str, Retention], *, applies: bool = True) -> None:
        self.redis = FakeRedis({"s:{7}": encode_state(ListenerState()), **kept})
        self.state = ListenerState(erased_at_ms=NOW_MS)
        self.sink = FakeSink(self._apply if applies else lambda: None)
        self._topics = topics

    def _apply(self) -> None:
        self.redis.kept[b"s:{7}"] = encode_state(self.state)

    def erase(self) -> dict[str, Any]:
        stop = threading.Event()
        eraser = Eraser(self.redis, self.sink, self._topics, stop, lambda: NOW_MS)  # type: ignore[arg-type]
        return eraser.erase([7], wait_seconds=0.2).as_json()

    def left(self) -> set[str]:
        return {key.decode() for key in self.redis.kept}


def test_the_record_is_written_and_tombstones_where_the_newest_of_a_customer_is_kept() -> None:
    compacted = KEPT._replace(is_compacted=True, is_deleted=False)
    topics = {
        "customers": compacted,
        "campaigns": compacted,
        "listens": KEPT,
        "sms-requests": compacted,
        "x": compacted,
    }
    world = World({}, topics)
    world.erase()
    [(topic, key, value), *others] = world.sink.sent
    assert (topic, key) == (Topic.CUSTOMERS, b"7")
    assert pb.Customer.FromString(value or b"") == pb.Customer(customer_id=7, erased_at_ms=NOW_MS)
    assert others == [("sms-requests", b"7", None)]


def test_nothing_is_removed_before_the_erasure_is_applied() -> None:
    world = World({"c:{7}": b"", "p:{7}": b"a profile"}, {}, applies=False)
    with pytest.raises(EraseFailed, match="hold"):
        world.erase()
    assert len(world.sink.sent) == 1
    assert world.left() == {"s:{7}", "c:{7}", "p:{7}"}


def test_what_says_that_a_customer_was_erased_stays() -> None:
    world = World({"p:{7}": b"8 bytes!", "c:{7}": b"", "c:{77}": b""}, {})
    receipt = world.erase()
    assert world.left() == {"s:{7}", "p:{7}", "c:{77}"}
    assert receipt["customers"][0]["left_in_redis"] == ["p:{7}", "s:{7}"]


def test_a_rebuild_at_work_keeps_what_it_has_made() -> None:
    made = {"s1:{7}": b"", "f1:{7}": b""}
    assert World({**made, "rebuild": b"held"}, {}).erase()["customers"][0]["left_in_redis"] == [
        "f1:{7}",
        "s:{7}",
        "s1:{7}",
    ]
    assert World(made, {}).erase()["customers"][0]["left_in_redis"] == ["s:{7}"]


def test_the_receipt_tells_of_events_that_came_after() -> None:
    world = World({}, {})
    assert world.erase()["customers"][0]["events_after_the_erasure"] is False
    world.state = fold(world.state, Listen(NOW_MS + 1, 1, 1, False, 0)).state
    assert world.erase()["customers"][0]["events_after_the_erasure"] is True


@pytest.mark.parametrize(
    ("topic", "gone_by"),
    [
        (KEPT, "never: the topic has no retention.ms"),
        (KEPT._replace(retention_ms=2 * DAY_MS), "2023-11-17T22:13:20.000+00:00"),
        (KEPT._replace(is_compacted=True, is_deleted=False), "the next compaction; no latest time"),
        (
            KEPT._replace(is_compacted=True, is_deleted=False, retention_ms=1, compaction_lag_ms=4 * DAY_MS),
            "2023-11-19T22:13:20.000+00:00",
        ),
        (
            KEPT._replace(is_compacted=True, retention_ms=DAY_MS, compaction_lag_ms=4 * DAY_MS),
            "2023-11-16T22:13:20.000+00:00",
        ),
    ],
)
def test_the_receipt_says_by_when_kafka_has_dropped_older_records(topic: Retention, gone_by: str) -> None:
    kafka = World({}, {"sms-events": topic}).erase()["kafka"]
    assert kafka["sms-events"]["older_records_gone_by"].startswith(gone_by)


def test_the_receipt_names_topics_about_customers_and_their_dead_letters_alone() -> None:
    topics = dict.fromkeys(("listens", "listens.enricher.dlq", "campaigns", "somebody-elses", "x.enricher.dlq"), KEPT)
    assert list(World({}, topics).erase()["kafka"]) == ["listens", "listens.enricher.dlq"]
