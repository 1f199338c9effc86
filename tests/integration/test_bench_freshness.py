"""What `make bench-freshness` measures with, on real Kafka and Redis; its figures mean nothing here."""

from pathlib import Path

import pytest
import redis

from bench.freshness.ground import Ground, now_ms
from bench.freshness.listeners import write_known_listeners
from bench.freshness.notifications import KeyNotifications
from bench.freshness.runs import run
from bench.freshness.sizes import Sizes
from bench.freshness.throughput import measure_throughput
from devstack.stack import Stack
from interlude.features.codec import decode_hot, hot_key

TINY = Sizes(customers=20, per_second=50, warm_up_seconds=1, seconds=1, backlog=40_000, rounds=1)


@pytest.fixture
def ground(stack: Stack, system_topics: str, redis_url: str, tmp_path: Path) -> Ground:
    assert (system_topics, redis_url) == (stack.kafka, stack.redis)
    return Ground(stack, TINY, tmp_path / "bench")


def test_redis_tells_of_writes_to_keys_with_a_prefix(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client, KeyNotifications(redis_url, "f:") as writes:
        client.mset({"s:{1}": b"state", "f:{1}": b"features", "f:{2}": b"features"})
        seen: set[bytes] = set()
        while len(seen) < 2:
            new = writes.wait(5)
            assert new, "nothing more was told"
            seen |= new
        assert seen == {b"f:{1}", b"f:{2}"}
        assert writes.wait(0) == set()


def test_every_listen_of_a_run_is_timed_and_in_redis(ground: Ground, group_id: str) -> None:
    began_ms = now_ms() - 1000
    write_known_listeners(ground.redis, range(TINY.customers + 1), began_ms)
    with ground.enricher("enricher", group_id) as enricher:
        enricher.process.wait_until_ready()
        result = run(ground, "enricher", "", 0, {"enricher": enricher.process.pid})
    assert (result.measured, result.lost) == (50, 0)
    assert 0 < result.p50_ms <= result.p99_ms <= result.p999_ms
    for value in ground.read([hot_key(customer_id) for customer_id in range(TINY.customers)]):
        assert (decode_hot(value or b"").newest_listen_ms or 0) > began_ms


def test_one_and_two_processes_work_off_the_backlog(ground: Ground) -> None:
    rounds = measure_throughput(ground)
    assert [len(rounds.one), len(rounds.two)] == [1, 1]
    assert rounds.one[0].per_second > 0
    assert rounds.two[0].busy.keys() >= {"enricher0", "enricher1", "kafka", "redis"}
