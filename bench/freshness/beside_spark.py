"""The enricher, then Spark at the same work: one topic, rate and Redis; one after the other, each with the machine to itself."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.freshness.ground import Enricher, Ground, now_ms, say
from bench.freshness.listeners import write_known_listeners
from bench.freshness.reports import read_report
from bench.freshness.runs import NothingArrived, Run, run
from bench.freshness.spark_ways import Way
from devstack.class_archive import archive_options, spark_archive
from devstack.jars import connector_jars
from devstack.ports import LOOPBACK
from devstack.process import ChildProcess
from devstack.topics import DEFAULT_PARTITIONS
from interlude.features.codec import hot_key

GROUP_ID: Final = "enricher"
_HOUR_MS: Final = 3_600_000
_OPENING_LISTENERS: Final = 1
"""Beside those of a schedule, each run has one whose listens show that it is at work."""
_CATCH_UP_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.2
_REASON_LENGTH: Final = 240


class SparkRefused(Exception):
    """Spark does not run the query in this way; the message is its own."""


@dataclass(frozen=True, slots=True)
class SideBySide:
    """What came of it. Of the ways that Spark did not go, `refused` has its reason. `interests`: found and told by ours."""

    ours: Run
    interests: int
    spark: Mapping[Way, Run]
    refused: Mapping[Way, str]
    equal_share: float
    """Listeners whose features by Spark with state are those by the enricher, byte for byte."""


def measure_side_by_side(ground: Ground) -> SideBySide:
    """The enricher, then Spark in every way; at last the enricher does again what Spark with state did, to compare."""
    ends_ms = now_ms() - _HOUR_MS
    each = ground.sizes.customers + _OPENING_LISTENERS
    first_customers = {way: place * each for place, way in enumerate(Way, 1)}
    write_known_listeners(ground.redis, range(each * (1 + len(Way))), ends_ms)
    with ground.enricher("enricher", GROUP_ID) as enricher:
        enricher.process.wait_until_ready()
        ours = run(ground, "enricher", "", 0, {"enricher": enricher.process.pid})
        interests = enricher.interests()
    say(f"enricher: {ours}")
    taken: dict[Way, Run] = {}
    refused: dict[Way, str] = {}
    for way, first_customer in first_customers.items():
        try:
            taken[way] = _run_spark(ground, way, first_customer, ends_ms)
            say(f"Spark, {way.value}: {taken[way]}")
        except (SparkRefused, NothingArrived) as reason:
            refused[way] = str(reason)[:_REASON_LENGTH]
            say(f"Spark, {way.value}, does not run: {reason}")
    equal_share = _equal_share(ground, Way.STATEFUL, first_customers[Way.STATEFUL]) if Way.STATEFUL in taken else 0.0
    return SideBySide(ours, interests, taken, refused, equal_share)


def _run_spark(ground: Ground, way: Way, first_customer: int, ends_ms: int) -> Run:
    settings = {
        "way": way.value,
        "kafka": ground.stack.kafka,
        "redis": ground.stack.redis,
        "key_prefix": _key_prefix(way),
        "ends_ms": ends_ms,
        "jars": ",".join(str(jar) for jar in connector_jars()),
        "java_options": " ".join(archive_options(spark_archive())),
        "threads": DEFAULT_PARTITIONS,
        "checkpoints": str(ground.directory / f"checkpoints-{way.value}"),
    }
    environment = {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": LOOPBACK}
    name = f"spark-{way.value}"
    with ground.program(name, "bench.freshness.spark_query", settings, environment) as (process, report):
        return run(ground, name, _key_prefix(way), first_customer, {}, _checking(process, report))


def _checking(process: ChildProcess, report: Path) -> Callable[[], None]:
    def check() -> None:
        if refused := read_report(report).get("refused"):
            raise SparkRefused(refused)
        if not process.alive:
            raise SparkRefused(f"it ended with code {process.exit_code}: {process.log_tail(3)}")

    return check


def _key_prefix(way: Way) -> str:
    return f"spark-{way.value}-"


def _equal_share(ground: Ground, way: Way, first_customer: int) -> float:
    """The share of the listeners of that run for whom the enricher comes to the same bytes."""
    customers = range(first_customer, first_customer + ground.sizes.customers)
    theirs = ground.read([_key_prefix(way) + hot_key(customer_id) for customer_id in customers])
    with ground.enricher("enricher-again", GROUP_ID) as enricher:
        enricher.process.wait_until_ready()
        _await_standstill(enricher)
    ours = ground.read([hot_key(customer_id) for customer_id in customers])
    return sum(1 for one, other in zip(ours, theirs, strict=True) if one == other) / len(customers)


def _await_standstill(enricher: Enricher) -> None:
    """Until an enricher has done something and then nothing for a second."""
    deadline = time.monotonic() + _CATCH_UP_SECONDS
    seen, since = 0, time.monotonic()
    while time.monotonic() < deadline and (not seen or time.monotonic() - since < 1):
        before, seen = seen, enricher.seen()
        if seen != before:
            since = time.monotonic()
        time.sleep(_POLL_SECONDS)
