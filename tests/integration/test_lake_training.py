"""Training sets from the lake on real Spark: the rows of Kafka's log, decisions with their outcomes, two workers of a master."""

from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from pyspark.sql import SparkSession

from bench.learning.lake_of import CAMPAIGN as DRAWN_CAMPAIGN
from bench.learning.lake_of import write_lake
from bench.learning.scale import train
from devstack.jars import connector_jars
from devstack.spark_cluster import SparkCluster
from interlude.events.topics import Topic
from interlude.features.schema import SCHEMA_VERSION
from interlude.models.store import ModelStore
from interlude.v1 import decision_pb2 as pb
from interlude.v1 import events_pb2
from services.trainer.arguments import build_parser, to_uplift_request
from services.trainer.commands import Surroundings
from services.trainer.dataset import TrainingSet, UnusableRows
from services.trainer.decision_rows import DecisionRule, read_decision_rows, read_decisions
from services.trainer.history import RowKind, RowRule
from services.trainer.lake.layout import COMPLETE, day_of
from services.trainer.lake.reading import Days
from services.trainer.lake.tables import AD_EVENTS, DECISIONS, Table
from services.trainer.lake_rows import read_lake_rows
from services.trainer.log_rows import read_log_rows
from services.trainer.replies import reply_to
from services.trainer.session import spark_session
from services.trainer.settings import TrainerSettings
from services.trainer.uplifting import judge_uplift
from tests.integration.lake_scene import CAMPAIGN, DAY_MS, NOON_MS, Log, listen, profile
from tests.integration.test_lake import stream_once
from tests.models import KEYS, ModelSpec, publish

pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")

HOUR_MS: Final = 3_600_000


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkSession]:
    """One session, with the Kafka connector."""
    with spark_session("local[2]", ",".join(str(jar) for jar in connector_jars())) as session:
        yield session


def rows(training_set: TrainingSet) -> list[tuple[int, float, tuple[float, ...]]]:
    """Group, label and features of each row, sorted."""
    collected = training_set.frame.collect()
    return sorted((row["group"], row["label"], tuple(row["features"].toArray())) for row in collected)


def test_rows_of_the_lake_are_rows_of_the_log(spark: SparkSession, system_topics: str, tmp_path: Path) -> None:
    log = Log(system_topics)
    for customer_id in range(1, 31):
        log.send(Topic.CUSTOMERS, customer_id, profile(customer_id))
        for number in range(120):
            log.send(Topic.LISTENS, customer_id, listen(customer_id, number))
        for number, kind in enumerate((events_pb2.AD_EVENT_KIND_IMPRESSION, events_pb2.AD_EVENT_KIND_CLICK)):
            if number <= customer_id % 2:
                at_ms = NOON_MS + 2 * DAY_MS + number
                ad = events_pb2.AdEvent(
                    event_id=f"{kind}-{customer_id}",
                    customer_id=customer_id,
                    kind=kind,
                    at_ms=at_ms,
                    campaign_id=CAMPAIGN,
                )
                log.send(Topic.AD_EVENTS, customer_id, ad)
    log.send(Topic.CUSTOMERS, 4, None)
    log.send(Topic.CUSTOMERS, 5, events_pb2.Customer(customer_id=5, erased_at_ms=NOON_MS + DAY_MS))
    log.flush()
    stream_once(spark, system_topics, tmp_path / "lake")
    for row_kind, count in ((RowKind.IMPRESSIONS, 30), (RowKind.CLICKS, 15)):
        rule = RowRule(row_kind, CAMPAIGN, HOUR_MS)
        of_log = read_log_rows(spark, system_topics, rule, NOON_MS + 9 * DAY_MS)
        of_lake = read_lake_rows(spark, str(tmp_path / "lake"), rule)
        assert rows(of_lake) == rows(of_log)
        assert len(rows(of_lake)) == count
        assert of_lake.skipped == of_log.skipped == {}


def write_rows(lake: Path, table: Table, written: list[dict[str, Any]]) -> None:
    """Rows as one batch of the stream would have left them."""
    for day in {day_of(row["at_ms"]) for row in written}:
        path = lake / table.name / "incoming" / "s-00000000" / f"day={day}"
        path.mkdir(parents=True)
        of_day = [row for row in written if day_of(row["at_ms"]) == day]
        pq.write_table(pa.Table.from_pylist(of_day, schema=table.arrow_schema), path / "part.parquet")
    (lake / table.name / "incoming" / "s-00000000" / COMPLETE).touch()


def decided(number: int, reason: pb.Reason = pb.REASON_SHOW, **changes: Any) -> dict[str, Any]:
    """A row of `decisions`: e = 0.2 and h = 0.1 gave it its propensity."""
    propensity = {pb.REASON_SHOW: 0.9, pb.REASON_LOW_SCORE: 0.8, pb.REASON_EXPLORED: 0.18, pb.REASON_HOLDOUT: 0.1}
    return {
        "customer_id": number,
        "event_id": f"d-{number}",
        "at_ms": NOON_MS + number,
        "campaign_id": CAMPAIGN,
        "shown": reason in (pb.REASON_SHOW, pb.REASON_EXPLORED),
        "reason": reason,
        "propensity": propensity.get(reason, 1.0),
        "arm": "",
        "campaigns_version": "c",
        "schema_version": SCHEMA_VERSION,
        "features": [0.25, 0.25, 0.25, 0.25, 0.5, number / 1000],
        "newest_listen_ms": NOON_MS - 1,
        "log_offset": number,
        **changes,
    }


def outcome(
    number: int, after_ms: int, kind: events_pb2.AdEventKind = events_pb2.AD_EVENT_KIND_CLICK
) -> dict[str, Any]:
    """A row of `ad_events`: what came of the decision of that number."""
    about = {"customer_id": number, "decision_id": f"d-{number}", "campaign_id": CAMPAIGN, "kind": kind}
    return {**about, "event_id": f"{kind}/{number}", "at_ms": NOON_MS + number + after_ms, "log_offset": 0}


def test_decisions_are_joined_with_what_came_of_them(spark: SparkSession, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    written = [
        decided(1),
        decided(1, at_ms=NOON_MS + 60_001, log_offset=99),  # asked again: the same decision
        decided(2),
        decided(3),
        decided(4, pb.REASON_EXPLORED),
        decided(5, pb.REASON_LOW_SCORE),
        decided(6, pb.REASON_HOLDOUT),
        decided(7, pb.REASON_HOLDOUT, propensity=0.02),
        decided(8, pb.REASON_FREQUENCY_CAP),
        decided(9, schema_version="older"),
        decided(10, features=[]),
        decided(11, campaign_id="other"),
        decided(12, at_ms=NOON_MS + DAY_MS),
    ]
    outcomes = [
        outcome(1, 1000),
        outcome(1, 0, events_pb2.AD_EVENT_KIND_IMPRESSION),
        outcome(2, HOUR_MS + 1),  # too late to be its doing
        outcome(3, 1000, events_pb2.AD_EVENT_KIND_DISMISS),
        outcome(4, HOUR_MS),
        {**outcome(2, 1000), "customer_id": 3},  # another customer's
    ]
    write_rows(lake, DECISIONS, written)
    write_rows(lake, AD_EVENTS, outcomes)
    rule = DecisionRule(CAMPAIGN, HOUR_MS, Days("", day_of(NOON_MS)))
    found = {row["customer_id"]: row for row in read_decisions(spark, str(lake), rule).collect()}
    assert sorted(found) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert {number for number, row in found.items() if row["clicked"]} == {1, 4}
    assert found[1]["at_ms"] == NOON_MS + 1
    # Below the threshold showing has e (1 - h) = 0.18, above it 1 - h = 0.9; not showing is one action, whatever its reason.
    chances = {number: round(row["chance"], 6) for number, row in found.items()}
    assert chances == {1: 0.9, 2: 0.9, 3: 0.9, 4: 0.18, 5: 0.82, 6: 0.1, 7: 0.82, 8: 1.0, 9: 0.9, 10: 0.9}
    training_set = read_decision_rows(spark, str(lake), rule)
    assert training_set.skipped == {"no_features": 1, "other_schema": 1}
    assert training_set.repeated == 0
    got = rows(training_set)
    assert [(group, label) for group, label, _ in got] == [(1, 1.0), (2, 0.0), (3, 0.0), (4, 1.0)]
    np.testing.assert_allclose([features[-1] for *_, features in got], [0.001, 0.002, 0.003, 0.004], atol=1e-7)


def test_rows_that_contradict_time_are_left_out_and_many_refused(spark: SparkSession, tmp_path: Path) -> None:
    good = [decided(number) for number in range(1, 301)]
    bad = [decided(301, newest_listen_ms=NOON_MS + 302), decided(302)]
    outcomes = [outcome(302, -1), outcome(1, 5)]
    write_rows(tmp_path / "few", DECISIONS, [*good, *bad])
    write_rows(tmp_path / "few", AD_EVENTS, outcomes)
    training_set = read_decision_rows(spark, str(tmp_path / "few"), DecisionRule(CAMPAIGN, HOUR_MS))
    assert training_set.skipped == {"outcome_before_decision": 1, "features_after_decision": 1}
    assert Counter(label for _, label, _ in rows(training_set)) == {0.0: 299, 1.0: 1}
    write_rows(tmp_path / "many", DECISIONS, [*good[:50], *bad])
    write_rows(tmp_path / "many", AD_EVENTS, outcomes)
    with pytest.raises(UnusableRows, match="1 of 52 shown decisions are outcome_before_decision"):
        read_decision_rows(spark, str(tmp_path / "many"), DecisionRule(CAMPAIGN, HOUR_MS))


def persuaded(number: int, generator: np.random.Generator) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A decision and its outcomes: odd listeners (feature 4 is 1) take the offer by themselves, even ones where they are shown it.

    e = 1 and h = 0.5: showing has a chance of one half on both sides of the threshold, and odd ones are above it.
    """
    sure, shown = number % 2 == 1, bool(generator.random() < 0.5)
    reasons = {(True, True): pb.REASON_SHOW, (False, True): pb.REASON_EXPLORED}
    reason = reasons.get((sure, shown), pb.REASON_HOLDOUT)
    features = [0.25, 0.25, 0.25, 0.25, float(sure), float(generator.random())]
    row = decided(number, reason, propensity=0.5, features=features)
    takes = bool(generator.random() < (0.4 if sure else 0.25 if shown else 0.02))
    taken = {**outcome(number, 1000, events_pb2.AD_EVENT_KIND_CONVERSION), "decision_id": ""}
    return row, [taken] * takes


def test_uplift_is_judged_by_what_was_explored_and_held_out(spark: SparkSession, tmp_path: Path) -> None:
    generator = np.random.default_rng(11)
    written, outcomes = zip(*(persuaded(number, generator) for number in range(1, 4001)), strict=True)
    write_rows(tmp_path / "lake", DECISIONS, list(written))
    write_rows(tmp_path / "lake", AD_EVENTS, [row for rows_of_one in outcomes for row in rows_of_one])
    store = ModelStore(str(tmp_path / "models"))
    settings = TrainerSettings(model_store="-", model_private_key=KEYS.model_private_key, lake=str(tmp_path / "lake"))
    around = Surroundings(settings, store, KEYS.model_public_key, lambda: NOON_MS, lambda: nullcontext(spark))
    arguments = build_parser().parse_args(["uplift", "--campaign", CAMPAIGN, "--folds", "2"])

    chosen_by_clicks = publish(store, ModelSpec(intercept=-5.0, coefficients=(0, 0, 0, 0, 10.0, 0)))
    store.promote(chosen_by_clicks)
    reply = reply_to(arguments, around)
    assert (reply.exit_code, reply.complaints) == (0, ())
    report = reply.document
    assert report["better"], report["sentence"]
    assert f"is better than champion {chosen_by_clicks}" in report["sentence"]
    # Both show to a half: the persuaded ones in place of the sure ones, 0.23 conversions each.
    assert report["comparison"]["gain"]["low"] < 0.115 < report["comparison"]["gain"]["high"]
    assert report["effect"]["low"] < 0.115 < report["effect"]["high"]
    assert report["conversions"]["shown"] > report["conversions"]["not shown"] > 300
    assert report["groups"][-1]["seen"]["low"] > 0.15

    store.promote(publish(store, ModelSpec(intercept=5.0, coefficients=(0, 0, 0, 0, -10.0, 0))))
    report = reply_to(arguments, around).document
    assert not report["better"], "the champion chooses the same listeners already"


def test_uplift_needs_conversions_of_both_kinds(spark: SparkSession, tmp_path: Path) -> None:
    write_rows(tmp_path / "lake", DECISIONS, [decided(1), decided(2), decided(6, pb.REASON_HOLDOUT)])
    write_rows(tmp_path / "lake", AD_EVENTS, [outcome(1, 1000, events_pb2.AD_EVENT_KIND_CONVERSION)])
    request = to_uplift_request(build_parser().parse_args(["uplift", "--campaign", CAMPAIGN]), NOON_MS)
    with pytest.raises(
        UnusableRows, match="1 conversions followed the 2 decisions that could have gone either way and were shown"
    ):
        judge_uplift(spark, str(tmp_path / "lake"), request, None)
    other = to_uplift_request(build_parser().parse_args(["uplift", "--campaign", "another"]), NOON_MS)
    with pytest.raises(UnusableRows, match="nothing was explored, and nothing held out"):
        judge_uplift(spark, str(tmp_path / "lake"), other, None)


@pytest.mark.timeout(600)
def test_the_same_job_runs_on_a_master_with_two_workers(spark: SparkSession, tmp_path: Path) -> None:
    write_lake(tmp_path / "lake", 6_000, seed=1)
    fits = ("--folds", "2", "--tuning-folds", "2", "--regularisations", "0.001", "--class-weights", "plain")
    quick = (*fits, "--algorithms", "logistic", "--logistic-iterations", "5")
    with SparkCluster.start(workers=2, memory="1g") as cluster:
        there = train(tmp_path / "lake", 6_000, cluster.url, quick, memory="1g")
        assert cluster.applications() == ["interlude-trainer"]
    rule = RowRule(RowKind.IMPRESSIONS, DRAWN_CAMPAIGN, DAY_MS)
    assert there.rows == read_lake_rows(spark, str(tmp_path / "lake"), rule).frame.count() > 200
