"""What a command of the trainer answers: a document, an exit code, and sentences for whoever reads the errors."""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark.errors import PySparkException

from interlude.contacts.campaign_file import InvalidCampaigns
from interlude.events.topics import PARTITIONER
from interlude.models.manifest import RefusedModel
from interlude.models.store import Stage
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.lifecycle import stop_on_signals
from interlude.servicekit.producing import RecordProducer
from services.trainer.arguments import Command
from services.trainer.card import model_card
from services.trainer.commands import NoSuchAudience, Surroundings, run_audience, run_train, run_uplift
from services.trainer.comparing import compare
from services.trainer.dataset import UnusableRows
from services.trainer.lake.commands import LakeSurroundings, NoLake, run_lake
from services.trainer.page import to_page
from services.trainer.registry import describe, list_versions
from services.trainer.report import to_report
from services.trainer.session import SparkUnavailable
from services.trainer.settings import TrainerSettings
from services.trainer.tracking import NotTracked, track
from services.trainer.training import Outcome

DONE: Final = 0
FAILED: Final = 1
REFUSED: Final = 2
_ERROR_LENGTH: Final = 500


class TrainingFailed(Exception):
    """The training of a round ended with an error; the message is its own."""


@dataclass(frozen=True, slots=True)
class Reply:
    """`document` is None when there is none; each of `complaints` is one line."""

    exit_code: int
    document: Any = None
    complaints: tuple[str, ...] = ()


def reply_to(arguments: argparse.Namespace, around: Surroundings) -> Reply:
    """Run one command, all but `session` and `loop`; what can be expected to fail becomes a sentence."""
    command = Command(arguments.command)
    return guarded(command, lambda: _run(command, arguments, around))


def guarded(command: Command, run: Callable[[], Reply]) -> Reply:
    """What `run` returns; what can be expected to fail becomes a sentence."""
    try:
        return run()
    except (
        UnusableRows,
        NoSuchAudience,
        InvalidCampaigns,
        RefusedModel,
        SparkUnavailable,
        TrainingFailed,
        Unavailable,
        NoLake,
    ) as error:
        return Reply(FAILED, complaints=(f"{command.value}: {error}",))
    except (PySparkException, Py4JError) as error:
        # A Java error comes with its whole stack; what it is about stands in the lines before.
        about = " ".join(str(error).split())[:_ERROR_LENGTH]
        return Reply(FAILED, complaints=(f"{command.value}: Spark gave up: {about}",))


def write_report(reply: Reply, arguments: argparse.Namespace) -> bool:
    """Write the document into the file that the command line names; False when it names none."""
    path = getattr(arguments, "report", None)
    if path is None or reply.document is None:
        return False
    path.write_text(json.dumps(reply.document, allow_nan=False) + "\n", encoding="utf-8")
    return True


def now_ms() -> int:
    """Epoch milliseconds."""
    return time.time_ns() // 1_000_000


def _run(command: Command, arguments: argparse.Namespace, around: Surroundings) -> Reply:
    store = around.store
    if command is Command.TRAIN:
        return _train(arguments, around)
    if command is Command.AUDIENCE:
        return Reply(DONE, run_audience(arguments, around, partial(_open_producer, around.settings)))
    if command is Command.UPLIFT:
        return Reply(DONE, run_uplift(arguments, around))
    if command is Command.LAKE:
        lake = LakeSurroundings(around.settings, around.now_ms, around.open_spark, stop_on_signals)
        return Reply(DONE, run_lake(arguments, lake))
    if command is Command.PROMOTE:
        store.load(arguments.version, around.public_key)
        return Reply(DONE, asdict(store.promote(arguments.version)))
    if command is Command.ROLLBACK:
        return Reply(DONE, asdict(store.rollback()))
    if command is Command.TRY:
        store.load(arguments.version, around.public_key)
        stage = Stage.CANARY if arguments.share else Stage.SHADOW
        return Reply(DONE, asdict(store.try_out(arguments.version, stage, arguments.share)))
    if command is Command.WITHDRAW:
        return Reply(DONE, asdict(store.withdraw()))
    return Reply(DONE, _looked_up(command, arguments, around))


def _looked_up(command: Command, arguments: argparse.Namespace, around: Surroundings) -> Any:
    """What the registry says, with nothing changed."""
    store, key = around.store, around.public_key
    if command is Command.LIST:
        return list_versions(store, key)
    if command is Command.HISTORY:
        return [asdict(move) for move in store.moves()]
    if command is Command.DIFF:
        return compare(store.load(arguments.version, key), store.load(arguments.other, key))
    return (
        model_card(store.load(arguments.version, key).manifest)
        if arguments.card
        else describe(store, arguments.version, key)
    )


def _train(arguments: argparse.Namespace, around: Surroundings) -> Reply:
    outcome = run_train(arguments, around)
    if arguments.page is not None:
        arguments.page.write_text(to_page(outcome), encoding="utf-8")
    report = to_report(outcome)
    complaints = [f"refused: {sentence}" for sentence in outcome.chosen.verdict.refusals]
    complaints += _track(outcome, report, arguments, around.settings)
    return Reply(DONE if outcome.published else REFUSED, report, tuple(complaints))


def _track(
    outcome: Outcome, report: dict[str, Any], arguments: argparse.Namespace, settings: TrainerSettings
) -> list[str]:
    """Hand the training to MLflow where that is wanted; a sentence where it did not work, which changes no exit code."""
    if not settings.tracking_uri:
        return []
    files = {
        "report.json": json.dumps(report, allow_nan=False, indent=1).encode(),
        "page.html": to_page(outcome).encode(),
        "model.onnx": outcome.chosen.model_file,
    }
    try:
        track(settings.tracking_uri, settings.tracking_experiment, report, vars(arguments), files)
    except NotTracked as error:
        return [f"track: {error}"]
    return []


def _open_producer(settings: TrainerSettings) -> RecordProducer:
    return RecordProducer(settings.kafka_bootstrap, client_id="trainer", partitioner=PARTITIONER)
