"""How listens are timed, and what becomes of the times."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import cast

import pandas as pd
import pytest
from pyspark.sql.streaming.state import GroupState

from bench.freshness.beside_spark import SideBySide
from bench.freshness.figures import freshness_findings, throughput_findings
from bench.freshness.listeners import known_listener
from bench.freshness.runs import Run
from bench.freshness.schedule import Schedule
from bench.freshness.sizes import FULL, QUICK
from bench.freshness.spark_steps import FoldWithState
from bench.freshness.spark_ways import Way
from bench.freshness.throughput import Rounds, Throughput
from bench.freshness.watching import Watch, watch_all
from interlude.events.conversion import to_listen
from interlude.features.codec import decode_state, encode_hot, hot_key
from interlude.features.fold import fold
from interlude.features.schema import LISTENS_KEPT
from interlude.features.state import Listen, ListenerState

BEGAN_MS = 1_700_000_000_000
# Ten customers, one listen every 10 ms, the first ten of thirty to warm up.
SCHEDULE = Schedule(100, 10, 100, 30, 10, began_ns=5_000_000_000, began_ms=BEGAN_MS)


class Redis:
    """Features of listeners with listens up to some instant."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}

    def write(self, customer_id: int, newest_ms: int) -> bytes:
        key = hot_key(customer_id).encode()
        self.values[key] = encode_hot(fold(ListenerState(), Listen(newest_ms, 1, 1, False, 0)).state)
        return key

    def read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.values.get(key) for key in keys]


def _watch(now_ms: list[int]) -> Watch:
    return Watch(SCHEDULE, lambda: SCHEDULE.began_ns + now_ms[0] * 1_000_000)


def test_every_listen_belongs_to_one_customer_and_is_due_once() -> None:
    owners = {number: SCHEDULE.customer_of(number) for number in range(SCHEDULE.listens)}
    for customer_id in range(100, 110):
        assert list(SCHEDULE.numbers_of(customer_id)) == [number for number in owners if owners[number] == customer_id]
    assert [SCHEDULE.due_ns(number) - SCHEDULE.began_ns for number in (0, 1, 29)] == [0, 10_000_000, 290_000_000]
    listen = SCHEDULE.listen(13)
    assert (listen.customer_id, listen.played_at_ms) == (103, BEGAN_MS + 130)


def test_now_and_then_a_listener_plays_a_track_three_times() -> None:
    listens = FULL.per_second * (FULL.warm_up_seconds + FULL.seconds)
    schedule = Schedule(0, FULL.customers, FULL.per_second, listens, 0, 0, BEGAN_MS)
    plays = Counter((schedule.customer_of(number), schedule.listen(number).track_id) for number in range(listens))
    often = sum(count - 2 for count in plays.values() if count > 2)
    assert 0.01 < often / schedule.listens < 0.04


def test_a_listen_is_timed_from_when_it_was_due_to_when_its_features_were_read() -> None:
    redis, now_ms = Redis(), [135]
    watch = _watch(now_ms)
    watch.look([redis.write(103, SCHEDULE.played_at_ms(13))], redis.read)
    assert (watch.seen, watch.measured, watch.missing) == (2, 1, 28)  # that of the warm-up was seen as well
    assert watch.percentile_ms(0.99) == pytest.approx(5, rel=0.01)


def test_features_that_are_older_than_a_listen_do_not_include_it() -> None:
    redis = Redis()
    watch = _watch([500])
    watch.look([redis.write(103, SCHEDULE.played_at_ms(13) - 1), b"f:{104}"], redis.read)
    assert (watch.seen, watch.measured) == (1, 0)


def test_a_listener_who_is_not_of_the_schedule_is_passed_over() -> None:
    redis = Redis()
    watch = _watch([500])
    watch.look([redis.write(110, BEGAN_MS + 10_000)], redis.read)
    assert watch.seen == 0


def test_what_never_arrives_counts_with_the_time_that_it_was_waited_for() -> None:
    redis, now_ms = Redis(), [300]
    watch = _watch(now_ms)
    for customer_id in range(100, 110):
        watch.look([redis.write(customer_id, BEGAN_MS + 199)], redis.read)
    now_ms[0] = 10_290
    assert watch.give_up() == 10
    assert (watch.measured, watch.missing) == (20, 0)
    assert watch.percentile_ms(1) == pytest.approx(10_090, rel=0.01)


def test_watching_ends_when_all_were_seen() -> None:
    redis = Redis()
    keys = [redis.write(customer_id, BEGAN_MS + 300) for customer_id in range(100, 110)]

    class Writes:
        batches: Iterator[list[bytes]] = iter([[], keys[:4], keys[4:]])

        def wait(self, timeout_seconds: float) -> list[bytes]:
            assert timeout_seconds < 1
            return next(self.batches)

    watch = _watch([400])
    watch_all(watch, Writes(), redis.read, ends_ns=2**63)
    assert watch.missing == 0


def test_a_known_listener_is_full_and_the_same_everywhere() -> None:
    listener = known_listener(7, BEGAN_MS)
    assert len(listener.listens.marks) == LISTENS_KEPT
    assert listener == known_listener(7 + 64, BEGAN_MS) != known_listener(8, BEGAN_MS)
    assert known_listener(7, BEGAN_MS + 1) != listener


class Group:
    """Spark's state of one key."""

    def __init__(self) -> None:
        self.value: tuple[bytes] | None = None

    @property
    def exists(self) -> bool:
        return self.value is not None

    @property
    def get(self) -> tuple[bytes] | None:
        return self.value

    def update(self, value: tuple[bytes]) -> None:
        self.value = value


def test_spark_with_state_folds_as_the_enricher_does() -> None:
    group, step, state = Group(), FoldWithState(BEGAN_MS - 1), known_listener(103, BEGAN_MS - 1)
    for numbers in ([3], [13, 23]):
        listens = [SCHEDULE.listen(number) for number in numbers]
        frames = [pd.DataFrame({"value": [listen.SerializeToString()]}) for listen in listens]
        rows = pd.concat(list(step((b"103",), iter(frames), cast("GroupState", group))))
        for listen in listens:
            state = fold(state, to_listen(listen)).state
        assert rows.to_dict("records") == [{"customer_id": 103, "hot": encode_hot(state)}]
    assert group.value is not None
    assert decode_state(group.value[0]) == state


def _run(p99_ms: float) -> Run:
    return Run(p99_ms / 4, p99_ms, 2 * p99_ms, 500, 0, 1.0, {"kafka": 0.1})


def test_figures_of_freshness_have_ratios_for_the_ways_that_ran_and_reasons_for_the_others() -> None:
    taken = {Way.STATEFUL: _run(800), Way.STATELESS: _run(400)}
    found = freshness_findings(QUICK, SideBySide(_run(20), 7, taken, {Way.REAL_TIME: "not with this sink"}, 1.0))
    values = {finding.name: finding.value for finding in found}
    assert (values["p50_ms"], values["p99_ms"]) == (5, 20)
    assert (values["p99_vs_spark_microbatch"], values["p99_vs_spark_stateless"]) == (0.025, 0.05)
    assert values["spark_equal_share"] == 1
    assert values["steady_interests"] == 7
    assert "p99_vs_spark_real_time" not in values
    assert next(f for f in found if f.name == "spark_real_time_runs").under.endswith("not with this sink")


def test_figures_of_throughput_are_medians_of_rounds_taken_in_turn() -> None:
    one = [Throughput(per_second, {"enricher0": 0.9, "kafka": 0.2}) for per_second in (30_000, 34_000)]
    two = [
        Throughput(per_second, {"enricher0": 0.8, "enricher1": 0.8, "kafka": 0.4}) for per_second in (54_000, 51_000)
    ]
    values = {finding.name: finding.value for finding in throughput_findings(QUICK, Rounds(one, two))}
    assert values["events_per_second"] == 32_000
    assert values["two_process_ratio"] == pytest.approx((1.8 + 1.5) / 2)
    assert values["event_cpu_us"] == pytest.approx((30 + 0.9 / 34_000 * 1e6) / 2)
    assert values["two_processes_enricher1_cpu"] == 0.8
