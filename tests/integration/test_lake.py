"""The lake on real Kafka and Spark: written, compacted, erased from, aged, and killed while it is written."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from pyspark.sql import DataFrame, SparkSession

from devstack.jars import connector_jars
from interlude.events.topics import Topic
from interlude.v1 import events_pb2
from services.trainer.lake.compaction import MEBIBYTE, Compaction, CompactionRules, TableReport
from services.trainer.lake.files import LakeFiles
from services.trainer.lake.reading import Days, read_lake
from services.trainer.lake.status import lake_status
from services.trainer.lake.streaming import LakeStreams, StreamPlan, run
from services.trainer.lake.tables import AD_EVENTS, CUSTOMERS, DECISIONS, LISTENS, TABLES, Table
from services.trainer.metrics import LakeMetrics
from services.trainer.session import spark_session
from tests.integration.lake_scene import DAY_MS, DAYS, NOON_MS, LakeProcess, Log, decision, kill, listen, profile

pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")

CUSTOMERS_COUNT: Final = 20
LISTENS_EACH: Final = 9
AFTER_MS: Final = NOON_MS + 3 * DAY_MS
"""A moment at which all days of the scene are closed."""
RULES: Final = CompactionRules(keep_days=30, grace_ms=0, file_bytes=128 * MEBIBYTE)


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkSession]:
    """One session for the tests of this file that need none of their own."""
    with spark_session("local[2]", ",".join(str(jar) for jar in connector_jars())) as session:
        yield session


def stream_once(spark: SparkSession, bootstrap: str, lake: Path, metrics: LakeMetrics | None = None) -> None:
    """Everything that Kafka holds into the lake."""
    plan = StreamPlan(bootstrap, 1.0, 1000, once=True)
    streams = LakeStreams(spark, LakeFiles(spark, str(lake)), plan, metrics or LakeMetrics())
    run(streams, threading.Event().wait, lambda: None)


def compact(spark: SparkSession, lake: Path, now_ms: int = AFTER_MS) -> dict[str, TableReport]:
    """One compaction without grace for readers."""
    return Compaction(spark, LakeFiles(spark, str(lake)), RULES, now_ms).run()


def produce(bootstrap: str) -> None:
    """Listens, some twice, profiles, decisions, clicks, and records that cannot be taken."""
    log = Log(bootstrap)
    for customer_id in range(1, CUSTOMERS_COUNT + 1):
        log.send(Topic.CUSTOMERS, customer_id, profile(customer_id))
        for number in range(LISTENS_EACH):
            log.send(Topic.LISTENS, customer_id, listen(customer_id, number))
        log.send(Topic.LISTENS, customer_id, listen(customer_id, 0))
        log.send(Topic.DECISIONS, customer_id, decision(customer_id, 0, shown=True, at_ms=NOON_MS + customer_id))
        click = events_pb2.AdEvent(
            event_id=f"c-{customer_id}",
            customer_id=customer_id,
            kind=events_pb2.AD_EVENT_KIND_CLICK,
            at_ms=NOON_MS + 5000,
            decision_id=f"d-{customer_id}-0",
            campaign_id="upgrade",
        )
        log.send(Topic.AD_EVENTS, customer_id, click)
    log.send_bytes(Topic.LISTENS, b"1", b"\xff\xff")
    log.send_bytes(Topic.LISTENS, b"2", listen(1, 1).SerializeToString())  # another customer's key
    log.send(Topic.CUSTOMERS, 20, None)
    log.flush()


def event_ids(frame: DataFrame) -> Counter[tuple[int, str]]:
    """How often each event is there."""
    return Counter((row["customer_id"], row["event_id"]) for row in frame.select("customer_id", "event_id").collect())


def expected_listens() -> set[tuple[int, str]]:
    """Every listen of the scene."""
    return {(c, f"l-{c}-{n}") for c in range(1, CUSTOMERS_COUNT + 1) for n in range(LISTENS_EACH)}


def parquet_files(lake: Path, table: Table, day: str) -> list[Path]:
    """All files that hold rows of that day, whether anybody reads them or not."""
    return [p for p in (lake / table.name).rglob("*.parquet") if day in str(p)]


def test_written_compacted_erased_and_aged(spark: SparkSession, system_topics: str, tmp_path: Path) -> None:
    lake, url = tmp_path / "lake", str(tmp_path / "lake")
    produce(system_topics)
    metrics = LakeMetrics()
    stream_once(spark, system_topics, lake, metrics)
    once = Counter(expected_listens())
    assert event_ids(read_lake(spark, url, LISTENS)) == once
    assert sum(event_ids(read_lake(spark, url, LISTENS, distinct=False)).values()) == len(once) + CUSTOMERS_COUNT
    assert _sample(metrics, "interlude_trainer_lake_skipped_total", table="listens", reason="parse") == 1
    assert _sample(metrics, "interlude_trainer_lake_skipped_total", table="listens", reason="validate") == 1
    _check_values(spark, url)
    _check_no_personal_data(lake)

    before = read_lake(spark, url, LISTENS)  # planned on the old files
    stale = Compaction(spark, LakeFiles(spark, url), CompactionRules(30, DAY_MS, MEBIBYTE), AFTER_MS).run()
    assert (stale["listens"].days_compacted, stale["listens"].repeated) == (3, CUSTOMERS_COUNT)
    assert event_ids(before) == event_ids(read_lake(spark, url, LISTENS, distinct=False)) == once
    assert compact(spark, lake)["listens"].files_removed > 0
    for day in DAYS:
        (only,) = parquet_files(lake, LISTENS, day)
        customers = pq.read_table(only)["customer_id"].to_pylist()
        assert customers == sorted(customers)
    some_days = event_ids(read_lake(spark, url, LISTENS, Days(DAYS[1], DAYS[1])))
    assert some_days.keys() == {(c, e) for c, e in once if int(e.rpartition("-")[2]) % 3 == 1}

    _erase_and_check(spark, system_topics, lake, customer_id=7)
    _age_and_check(spark, lake)


def test_records_that_are_all_bad_stop_nothing(spark: SparkSession, system_topics: str, tmp_path: Path) -> None:
    log = Log(system_topics)
    for _ in range(5):
        log.send_bytes(Topic.DECISIONS, b"1", b"\xff\xff")
    log.flush()
    metrics = LakeMetrics()
    stream_once(spark, system_topics, tmp_path / "lake", metrics)
    log.send(Topic.DECISIONS, 1, decision(1, 0, shown=True, at_ms=NOON_MS))
    log.flush()
    stream_once(spark, system_topics, tmp_path / "lake", metrics)
    assert _sample(metrics, "interlude_trainer_lake_skipped_total", table="decisions", reason="parse") == 5
    assert event_ids(read_lake(spark, str(tmp_path / "lake"), DECISIONS)) == {(1, "d-1-0"): 1}


def _check_values(spark: SparkSession, url: str) -> None:
    (row,) = read_lake(spark, url, LISTENS).where("event_id = 'l-3-4'").collect()
    sent = listen(3, 4)
    assert (row["at_ms"], row["track_id"], row["mobile"]) == (sent.played_at_ms, 4, False)
    assert row["utc_offset_minutes"] == -360
    (logged,) = read_lake(spark, url, DECISIONS).where("customer_id = 3").collect()
    assert (logged["event_id"], logged["shown"], logged["propensity"]) == ("d-3-0", True, pytest.approx(0.9))
    assert logged["features"] == [0.25, 0.25, 0.25, 0.25, 0.0, 1.0]
    assert logged["newest_listen_ms"] == logged["at_ms"] - 60_000
    (click,) = read_lake(spark, url, AD_EVENTS).where("customer_id = 3").collect()
    assert (click["decision_id"], click["kind"]) == ("d-3-0", events_pb2.AD_EVENT_KIND_CLICK)
    changes = Counter(row["change"] for row in read_lake(spark, url, CUSTOMERS).collect())
    assert changes == {"profile": CUSTOMERS_COUNT, "deleted": 1}


def _check_no_personal_data(lake: Path) -> None:
    for path in lake.rglob("*.parquet"):
        values = str(pq.read_table(path).to_pydict())
        assert not [trace for trace in ("+15550100", "Brook", "Fox Hill", "60601") if trace in values]


def _erase_and_check(spark: SparkSession, bootstrap: str, lake: Path, customer_id: int) -> None:
    """Erased up to the second day's begin: what is later stays, what an old log repeats does not come back."""
    url, erased_at_ms = str(lake), NOON_MS + DAY_MS - 1
    log = Log(bootstrap)
    log.send(Topic.CUSTOMERS, customer_id, events_pb2.Customer(customer_id=customer_id, erased_at_ms=erased_at_ms))
    log.send(Topic.LISTENS, customer_id, listen(customer_id, 0))
    log.flush()
    stream_once(spark, bootstrap, lake)
    kept = Counter(one for one in expected_listens() if one[0] != customer_id or int(one[1][-1]) % 3)
    assert event_ids(read_lake(spark, url, LISTENS)) == kept  # at once, whatever the files hold
    report = compact(spark, lake)
    assert (report["listens"].days_compacted, report["listens"].erased) == (1, LISTENS_EACH // 3)
    assert report["decisions"].erased == report["ad_events"].erased == report["customers"].erased == 1
    compact(spark, lake)
    for table in TABLES:
        for path in (lake / table.name).rglob("*.parquet"):
            rows = [row for row in pq.read_table(path).to_pylist() if row["customer_id"] == customer_id]
            assert [row for row in rows if row["at_ms"] <= erased_at_ms and row.get("change") != "erased"] == []
    assert event_ids(read_lake(spark, url, LISTENS)) == kept
    status = lake_status(spark, LakeFiles(spark, url), AFTER_MS)
    assert status["erased_customers"] == 1
    listens = status["tables"]["listens"]
    assert (listens["rows"], listens["days"], listens["files"]) == (sum(kept.values()), 3, 3)
    assert (listens["repeated"], listens["erased"], listens["batches"]) == (CUSTOMERS_COUNT + 1, 3, 0)
    assert listens["lag_seconds"] == pytest.approx((AFTER_MS - listens["newest_event_ms"]) / 1000, abs=0.06)


def _age_and_check(spark: SparkSession, lake: Path) -> None:
    """Days go when they are too old, profiles and erasures stay."""
    later_ms = AFTER_MS + 29 * DAY_MS
    assert compact(spark, lake, later_ms)["listens"].days_removed == 2
    assert {row["event_id"][-1] for row in read_lake(spark, str(lake), LISTENS).collect()} == {"2", "5", "8"}
    compact(spark, lake, later_ms)
    assert parquet_files(lake, LISTENS, DAYS[0]) == []
    assert read_lake(spark, str(lake), CUSTOMERS).where("change = 'profile'").count() == CUSTOMERS_COUNT - 1


def _sample(metrics: LakeMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


KILLS: Final = 3
SMALL_BATCHES: Final = {
    "TRAINER_LAKE_BATCH_RECORDS": "300",
    "TRAINER_LAKE_TRIGGER_SECONDS": "0.1",
    "TRAINER_LAKE_DAYS": "36500",  # the scene's days are in 2023
    "TRAINER_LAKE_GRACE_MINUTES": "0",
}
MANY: Final = 60
"""Customers of the test that kills: 2,400 listens in eight batches, so that there is always one to be killed in."""


@pytest.mark.timeout(900)
def test_killed_again_and_again_it_writes_everything_once(
    spark: SparkSession, system_topics: str, tmp_path: Path
) -> None:
    lake = LakeProcess(system_topics, tmp_path / "lake", SMALL_BATCHES)
    chance, log, sent = random.Random(5), Log(system_topics), Counter[tuple[int, str]]()
    for number in range(40):
        for customer_id in range(1, MANY + 1):
            log.send(Topic.LISTENS, customer_id, listen(customer_id, number))
            sent[customer_id, f"l-{customer_id}-{number}"] = 1
    log.flush()
    for _ in range(KILLS):
        process = lake.start("run")
        wait_for_more(process, lake.lake / LISTENS.name / "incoming")
        time.sleep(chance.uniform(0, 1.5))
        kill(process)
    lake.finish("run", "--once")
    url = str(lake.lake)
    assert event_ids(read_lake(spark, url, LISTENS)) == sent

    process = lake.start("compact")
    wait_for_more(process, lake.lake / LISTENS.name / "days")
    kill(process)
    assert event_ids(read_lake(spark, url, LISTENS)) == sent
    lake.finish("compact")
    assert event_ids(read_lake(spark, url, LISTENS, distinct=False)) == sent
    assert lake.finish("status")["tables"]["listens"]["batches"] == 0


def wait_for_more(process: Any, directory: Path) -> None:
    """Until the process has made something new in that directory; it must not have ended by itself."""
    known = set(directory.glob("*"))
    deadline = time.monotonic() + 200
    while not set(directory.glob("*")) - known:
        assert process.poll() is None, process.stderr.read().decode()[-4000:]
        assert time.monotonic() < deadline
        time.sleep(0.02)
