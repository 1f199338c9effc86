"""The command `uplift`: decisions of the lake, the pair fitted in folds by Spark, and whether choosing by it sells more."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sql

from interlude.features.state import AdEventKind
from services.trainer.dataset import WEIGHT, UnusableRows, cached
from services.trainer.decision_rows import DecisionRule, read_decision_rows
from services.trainer.estimators import fit_spark, to_predictor
from services.trainer.lake.reading import read_lake
from services.trainer.lake.tables import AD_EVENTS
from services.trainer.linear import Algorithm, Matrix, Vector, sigmoid
from services.trainer.logged_decisions import is_usable
from services.trainer.publishing import ServingModel
from services.trainer.splitting import Split
from services.trainer.uplift import Comparison, Effect, Outcomes, Pair, arms, compare, effects, groups_of, mean_effect

FEWEST_CONVERSIONS: Final = 30
"""On each side: with fewer, neither model of the pair has learned anything."""

_ITERATIONS: Final = 100
_WITHOUT_CHAMPION: Final = "showing to half of them, drawn by chance"


@dataclass(frozen=True, slots=True)
class UpliftRequest:
    """Which decisions, which features, and how to fit."""

    rule: DecisionRule
    features: tuple[str, ...]
    split: Split
    regularisation: float


@dataclass(frozen=True, slots=True)
class _Decisions:
    """The same decisions as a frame for Spark and as arrays."""

    frame: DataFrame
    outcomes: Outcomes
    features: Matrix
    folds: npt.NDArray[np.int32]


def judge_uplift(
    spark: SparkSession, lake: str, request: UpliftRequest, champion: ServingModel | None
) -> dict[str, Any]:
    """The report of README. Raises `UnusableRows` where the log cannot tell."""
    decisions = _read(spark, lake, request)
    outcomes = decisions.outcomes
    pair = fit_pair(decisions.outcomes, decisions.folds, request.split.folds, _fitter(decisions, request))
    comparison = _compare(decisions, pair, champion, request.features)
    effect: Effect = mean_effect(effects(outcomes, pair), outcomes.customers)
    return {
        "campaign": request.rule.campaign,
        "decisions": len(outcomes.shown),
        "customers": len(np.unique(outcomes.customers)),
        "conversions": {name: int(outcomes.converted[side].sum()) for name, side in arms(outcomes)},
        "effect": asdict(effect),
        "groups": [asdict(group) for group in groups_of(outcomes, pair)],
        "comparison": asdict(comparison),
        "better": comparison.is_better,
        "sentence": comparison.sentence,
    }


def fit_pair(
    outcomes: Outcomes,
    folds: npt.NDArray[np.int32],
    count: int,
    fit: Callable[[bool, int], Callable[[npt.NDArray[np.bool_]], Vector]],
) -> Pair:
    """What the pair says of every decision. `fit(shown, fold)` fits one side without one fold and returns what gives the
    probabilities of the decisions of a mask."""
    with_offer, without = np.zeros(len(outcomes.shown)), np.zeros(len(outcomes.shown))
    for fold in range(count):
        held_out = folds == fold
        with_offer[held_out] = fit(True, fold)(held_out)
        without[held_out] = fit(False, fold)(held_out)
    return Pair(with_offer, without)


def _fitter(
    decisions: _Decisions, request: UpliftRequest
) -> Callable[[bool, int], Callable[[npt.NDArray[np.bool_]], Vector]]:
    def fit(shown: bool, fold: int) -> Callable[[npt.NDArray[np.bool_]], Vector]:
        side = decisions.frame.where((sql.col("shown") == shown) & (sql.col(request.split.column) != fold))
        model = to_predictor(fit_spark(Algorithm.LOGISTIC, side, request.regularisation, 1.0, _ITERATIONS))
        return lambda places: sigmoid(model.margins(decisions.features[places]))

    return fit


def _compare(decisions: _Decisions, pair: Pair, champion: ServingModel | None, names: tuple[str, ...]) -> Comparison:
    if champion is None:
        return compare(decisions.outcomes, pair, np.full(len(decisions.folds), 0.5), _WITHOUT_CHAMPION)
    shows = champion.probabilities(decisions.features, names) >= champion.threshold
    return compare(decisions.outcomes, pair, shows.astype(np.float64), f"champion {champion.version}")


def _read(spark: SparkSession, lake: str, request: UpliftRequest) -> _Decisions:
    """Decisions that came to the score and could have gone either way."""
    training_set = read_decision_rows(spark, lake, request.rule, request.features)
    assert training_set.decisions is not None
    either_way = training_set.decisions.where(is_usable() & (sql.col("chance") > 0) & (sql.col("chance") < 1))
    rows = either_way.join(_conversions(spark, lake, request.rule), "customer_id", "left").select(
        sql.col("customer_id").alias("group"),
        "shown",
        "chance",
        _follows(request.rule.attribution_ms).cast("double").alias("label"),
        array_to_vector(sql.col("features")).alias("features"),
        (1 / sql.col("chance")).alias(WEIGHT),
    )
    decisions = _collected(cached(rows, {request.split}), request)
    for name, side in arms(decisions.outcomes):
        found = int(decisions.outcomes.converted[side].sum())
        if found < FEWEST_CONVERSIONS:
            raise UnusableRows(
                f"{found} conversions followed the {int(side.sum())} decisions that could have gone either way and were {name}: "
                f"{FEWEST_CONVERSIONS} are needed. Explore more, hold out more, or wait"
            )
    return decisions


def _conversions(spark: SparkSession, lake: str, rule: DecisionRule) -> DataFrame:
    """By customer, when the offer was taken: whatever decision it was that a conversion names, if any. Who was shown nothing has
    none to name."""
    ad_events = read_lake(spark, lake, AD_EVENTS, rule.outcome_days, distinct=False)
    taken = (sql.col("campaign_id") == rule.campaign) & (sql.col("kind") == AdEventKind.CONVERSION.value)
    return ad_events.where(taken).groupBy("customer_id").agg(sql.collect_set("at_ms").alias("taken_at_ms"))


def _follows(attribution_ms: int) -> Any:
    followed = sql.exists(
        "taken_at_ms", lambda at_ms: (at_ms > sql.col("at_ms")) & (at_ms - sql.col("at_ms") <= attribution_ms)
    )
    return sql.coalesce(followed, sql.lit(False))


def _collected(frame: DataFrame, request: UpliftRequest) -> _Decisions:
    features = vector_to_array(sql.col("features"), "float32").alias("features")
    table = frame.select("group", "shown", "chance", "label", request.split.column, features).toArrow()
    if not table.num_rows:
        raise UnusableRows("no decision could have gone either way: nothing was explored, and nothing held out")
    outcomes = Outcomes(
        shown=np.asarray(table["shown"], np.bool_),
        chance=np.asarray(table["chance"], np.float64),
        converted=np.asarray(table["label"], np.float64) > 0,
        customers=np.asarray(table["group"], np.int64),
    )
    return _Decisions(
        frame=frame,
        outcomes=outcomes,
        features=np.asarray(table["features"].combine_chunks().flatten(), np.float32).reshape(table.num_rows, -1),
        folds=np.asarray(table[request.split.column], np.int32),
    )
