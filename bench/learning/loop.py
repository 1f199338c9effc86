"""The closed loop in the simulated world: train, gate, promote, decide, again, with the trainer's own code on a local Spark.

It begins with nothing: no model, so that everybody is below the threshold and only exploration shows the offer. After each round
the trainer gets all decisions so far, fits, judges and, when the gate lets it, promotes; the next round is decided by the champion.
"""

import base64
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from pyspark.sql import SparkSession

from bench.learning.playing import Played, Policy, best_value, play, together, value_of
from bench.learning.world import Listeners, draw_listeners
from bench.measured import Figure
from interlude.models.store import ModelStore
from services.trainer.arguments import build_parser, to_request
from services.trainer.dataset import TrainingSet
from services.trainer.linear import Vector
from services.trainer.logged_decisions import training_rows
from services.trainer.publishing import champion_of
from services.trainer.training import Outcome, Stopwatch, Trainer

ROUNDS: Final = 5
LISTENERS: Final = 10_000
ASKED: Final = 2
POLICY: Final = Policy(threshold=0.5, exploration_rate=0.1, holdout_share=0.1)
_JUDGED_ON: Final = 400_000
_KEY: Final = base64.b64encode(b"bench/learning's key, worthless.").decode()
_OPTIONS: Final = (
    *("--folds", "3", "--regularisations", "0.001", "--class-weights", "plain", "--algorithms", "logistic"),
    "--promote",
)


@dataclass(frozen=True, slots=True)
class Round:
    """One round: what the trainer made of it, and what the champion after it is worth, as a share of the best possible."""

    outcome: Outcome
    value_ratio: float

    def __str__(self) -> str:
        refused = " ".join(self.outcome.chosen.verdict.refusals)
        told = f"{self.outcome.rows:,} impressions, {self.value_ratio:.4f} of the best value"
        return f"{told}; {'promoted' if self.outcome.promoted else refused}"


def measure(spark: SparkSession) -> dict[str, Figure]:
    """The value of the champion after the last round, and the first round after which it was 90 % of the best possible."""
    rounds = run(spark)
    reached = [number for number, one in enumerate(rounds, 1) if one.value_ratio >= 0.9]
    asked = f"{LISTENERS * ASKED:,} decisions a round, {POLICY.exploration_rate:.0%} explored, from nothing"
    parity = max(judged.parity_max_abs for one in rounds for judged in one.outcome.judged)
    return {
        "loop_value_ratio": Figure(
            round(rounds[-1].value_ratio, 4), "ratio", f"the policy that knows every click probability; {asked}"
        ),
        "loop_rounds_to_90_percent": Figure(reached[0] if reached else 0, "rounds", f"of {ROUNDS}; 0: never; {asked}"),
        "loop_promotions": Figure(sum(one.outcome.promoted for one in rounds), "rounds", f"of {ROUNDS}"),
        "loop_parity_max_abs": Figure(
            parity, "probability", "Spark, scikit-learn and ONNX Runtime, worst row of the loop"
        ),
    }


def run(spark: SparkSession, rounds: int = ROUNDS, listeners: int = LISTENERS) -> list[Round]:
    """Play `rounds` of them with as many listeners each, in a model store that is thrown away."""
    chance = np.random.default_rng(21)
    judged_on = draw_listeners(np.random.default_rng(22), _JUDGED_ON)
    done: list[Round] = []
    with tempfile.TemporaryDirectory(prefix="interlude-loop-") as directory:
        store = ModelStore(str(Path(directory) / "models"))
        trainer = Trainer(store, _KEY, lambda: 1)
        parts: list[Played] = []
        for number in range(rounds):
            met = draw_listeners(chance, listeners)
            parts.append(play(chance, met, _scores(store, met), POLICY, ASKED, first=number * listeners))
            done.append(_round(spark, trainer, store, together(parts), judged_on))
            print(f"  round {number + 1}: {done[-1]}", flush=True)
    return done


def training_set(spark: SparkSession, played: Played, listeners: Listeners) -> TrainingSet:
    """Everything that was decided, as the lake would hand it to the trainer."""
    frame = spark.createDataFrame(played.to_table(listeners)).cache()
    return TrainingSet(training_rows(frame), "simulated decisions", decisions=frame)


def _round(spark: SparkSession, trainer: Trainer, store: ModelStore, played: Played, judged_on: Listeners) -> Round:
    arguments = build_parser().parse_args(["train", "--features-file", "-", *_OPTIONS])
    outcome = trainer.train(lambda: training_set(spark, played, judged_on), to_request(arguments), Stopwatch())
    spark.catalog.clearCache()
    shows = _scores(store, judged_on) >= POLICY.threshold
    value = value_of(shows, judged_on.probability, POLICY.threshold)
    return Round(outcome, value / best_value(judged_on.probability, POLICY.threshold))


def _scores(store: ModelStore, listeners: Listeners) -> Vector:
    """What the champion says of them, shape (listeners,); nothing above 0 while there is none."""
    champion = champion_of(store, _KEY)
    return np.zeros(len(listeners)) if champion is None else champion.probabilities(listeners.features)
