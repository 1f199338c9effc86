"""Training rows from logged decisions: features as they were when the offer was shown, and what came of it.

Nothing is computed anew: what a model is trained on is what it would have been asked. A decision whose outcome is earlier than
itself, or whose features know a listen that is later, is counted and left out; where there are many, the log is not to be trusted.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as sql

from interlude.features.schema import FEATURE_NAMES, SCHEMA_VERSION, STATE_FEATURE_NAMES, STATE_FEATURES
from interlude.features.state import AdEventKind
from interlude.v1 import decision_pb2 as pb
from services.trainer.dataset import TrainingSet, UnusableRows
from services.trainer.lake.reading import ALL_DAYS, Days, read_lake
from services.trainer.lake.tables import AD_EVENTS, DECISIONS
from services.trainer.logged_decisions import training_rows

VIOLATIONS_LIMIT: Final = 0.01
"""Share of shown decisions that may contradict time: clocks of players differ a little, a broken join differs a lot."""

_DAY_MS: Final = 86_400_000
_VIOLATIONS: Final = ("outcome_before_decision", "features_after_decision")
_NO_MOMENT: Final = "no_moment_features"
_REASONS: Final = ("no_features", "other_schema", _NO_MOMENT, *_VIOLATIONS)
_WIDTHS: Final = (len(STATE_FEATURES), len(FEATURE_NAMES))
"""Of the vectors that are logged."""
_SAME_SHARE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class DecisionRule:
    """The campaign, the days of its decisions, and how long after a decision a click counts as its doing."""

    campaign: str
    attribution_ms: int
    days: Days = ALL_DAYS

    @property
    def outcome_days(self) -> Days:
        """The days in which their outcomes may lie: before them only by mistake."""
        if not self.days.until:
            return Days(self.days.since)
        later = date.fromisoformat(self.days.until) + timedelta(milliseconds=self.attribution_ms + _DAY_MS - 1)
        return Days(self.days.since, later.isoformat())


def read_decisions(spark: SparkSession, lake: str, rule: DecisionRule) -> DataFrame:
    """Every decision of the campaign, shown or not, once.

    Columns: `decision_id`, `customer_id`, `at_ms`, `shown`, `reason` (numbered as on the wire), `score` (null: no model was
    asked), `propensity` (as logged: of the answer), `chance` (of the action, showing or not, whatever the reason given), `arm`,
    `model_version`, `threshold`, `device`, `features` (float32 in the schema's order), `clicked`, and `skipped`: null, or why the
    row says nothing.
    """
    decisions = read_lake(spark, lake, DECISIONS, rule.days).where(sql.col("campaign_id") == rule.campaign)
    outcomes = _outcomes(read_lake(spark, lake, AD_EVENTS, rule.outcome_days, distinct=False), rule.campaign)
    joined = with_chance(decisions).join(
        outcomes,
        (decisions["customer_id"] == outcomes["outcome_customer_id"])
        & (decisions["event_id"] == outcomes["decision_id"]),
        "left",
    )
    clicked_after = sql.col("first_click_ms") - sql.col("at_ms")
    return joined.select(
        sql.col("event_id").alias("decision_id"),
        "customer_id",
        "at_ms",
        "shown",
        "reason",
        "score",
        "propensity",
        "chance",
        "arm",
        "model_version",
        "threshold",
        "device",
        "features",
        sql.coalesce(clicked_after <= rule.attribution_ms, sql.lit(False)).alias("clicked"),
        _skipped().alias("skipped"),
    )


def read_decision_rows(
    spark: SparkSession, lake: str, rule: DecisionRule, names: tuple[str, ...] = STATE_FEATURE_NAMES
) -> TrainingSet:
    """One row per shown decision with the features of these names, the label is a click, the weight the inverse of its propensity;
    and all decisions for off-policy estimates. Raises `UnusableRows` where too many contradict time."""
    decisions = _with_features(read_decisions(spark, lake, rule), names).cache()
    shown = decisions.where("shown")
    counts = {str(row["skipped"]): int(row["count"]) for row in shown.groupBy("skipped").count().collect()}
    check_violations(counts)
    rows = shown.where("skipped is null")
    skipped = {reason: counts[reason] for reason in _REASONS if counts.get(reason)}
    repeated = rows.count() - rows.select("decision_id").distinct().count()
    source = f"lake, decisions of {rule.campaign}"
    return TrainingSet(training_rows(rows), source, skipped, repeated, decisions.where("skipped is null"), names)


def _with_features(decisions: DataFrame, names: tuple[str, ...]) -> DataFrame:
    """The decisions with the features of these names; those that were logged without one of them are skipped."""
    places = [FEATURE_NAMES.index(name) for name in names]
    lacking = sql.col("skipped").isNull() & (sql.size("features") <= max(places))
    skipped = sql.when(lacking, _NO_MOMENT).otherwise(sql.col("skipped"))
    # What only the moment knows is logged where a model was asked with it.
    values = sql.array(*(sql.get(sql.col("features"), sql.lit(place)) for place in places))
    return decisions.withColumn("skipped", skipped).withColumn("features", values)


def check_violations(counts: dict[str, int]) -> None:
    """Raise `UnusableRows` where more than `VIOLATIONS_LIMIT` of the rows contradict time. `counts`: rows by reason."""
    total = sum(counts.values())
    for reason in _VIOLATIONS:
        if counts.get(reason, 0) > VIOLATIONS_LIMIT * total:
            raise UnusableRows(
                f"{counts[reason]} of {total} shown decisions are {reason}: more than {VIOLATIONS_LIMIT:.0%} that contradict time "
                "are no training set"
            )


def with_chance(decisions: DataFrame) -> DataFrame:
    """`decisions` with `chance`: the probability with which showing or not, whichever was done, is done here.

    The log has that of the answer; but below the threshold an offer is not shown for two reasons (not explored, held out), and the
    two are one action. With e and h of docs/policy.md, not showing has 1 - e (1 - h) below the threshold and h above it; both are
    found in the log itself, by campaign document and arm.
    """
    by = ("campaigns_version", "arm")
    known = decisions.groupBy(*by).agg(
        _logged(pb.REASON_EXPLORED).alias("shown_below"),
        (1 - _logged(pb.REASON_SHOW)).alias("h"),
        (1 - _logged(pb.REASON_LOW_SCORE)).alias("e"),
    )
    below = sql.coalesce("shown_below", sql.col("e") * (1 - sql.coalesce("h", sql.lit(0.0))), sql.lit(0.0))
    reason, propensity = sql.col("reason"), sql.col("propensity").cast("double")
    held_out_above = sql.abs(propensity - sql.coalesce("h", propensity)) < _SAME_SHARE
    chance = (
        sql.when(reason == pb.REASON_LOW_SCORE, 1 - below)
        .when((reason == pb.REASON_HOLDOUT) & ~held_out_above, 1 - below)
        .otherwise(propensity)
    )
    return decisions.join(sql.broadcast(known), list(by), "left").withColumn("chance", chance)


def _logged(reason: pb.Reason) -> Column:
    return sql.max(sql.when(sql.col("reason") == reason, sql.col("propensity"))).cast("double")


def _outcomes(ad_events: DataFrame, campaign: str) -> DataFrame:
    """By decision: its first outcome of any kind, and its first click."""
    click = sql.when(sql.col("kind") == AdEventKind.CLICK.value, sql.col("at_ms"))
    of_decisions = ad_events.where((sql.col("campaign_id") == campaign) & (sql.col("decision_id") != ""))
    return of_decisions.groupBy(sql.col("customer_id").alias("outcome_customer_id"), "decision_id").agg(
        sql.min("at_ms").alias("first_outcome_ms"), sql.min(click).alias("first_click_ms")
    )


def _skipped() -> Column:
    """Why a decision is no row, null for one that is."""
    return (
        sql.when(sql.size("features") == 0, "no_features")
        .when((sql.col("schema_version") != SCHEMA_VERSION) | ~sql.size("features").isin(*_WIDTHS), "other_schema")
        .when(sql.col("first_outcome_ms") < sql.col("at_ms"), "outcome_before_decision")
        .when(sql.col("newest_listen_ms") > sql.col("at_ms"), "features_after_decision")
    )
