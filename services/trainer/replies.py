"""What a command of the trainer answers: a document, an exit code, and sentences for whoever reads the errors."""

import argparse
import json
import time
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark.errors import PySparkException

from interlude.contacts.campaign_file import InvalidCampaigns
from interlude.events.topics import PARTITIONER
from interlude.models.manifest import RefusedModel
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.producing import RecordProducer
from services.trainer.arguments import Command
from services.trainer.commands import NoSuchAudience, Surroundings, run_audience, run_train
from services.trainer.dataset import UnusableRows
from services.trainer.registry import describe, list_versions
from services.trainer.report import to_report
from services.trainer.session import SparkUnavailable
from services.trainer.settings import TrainerSettings

DONE: Final = 0
FAILED: Final = 1
REFUSED: Final = 2
_ERROR_LENGTH: Final = 500


@dataclass(frozen=True, slots=True)
class Reply:
    """`document` is None when there is none; each of `complaints` is one line."""

    exit_code: int
    document: Any = None
    complaints: tuple[str, ...] = ()


def reply_to(arguments: argparse.Namespace, around: Surroundings) -> Reply:
    """Run one command, all but `session`; what can be expected to fail becomes a sentence."""
    try:
        return _run(Command(arguments.command), arguments, around)
    except (UnusableRows, NoSuchAudience, InvalidCampaigns, RefusedModel, SparkUnavailable, Unavailable) as error:
        return Reply(FAILED, complaints=(f"{arguments.command}: {error}",))
    except (PySparkException, Py4JError) as error:
        # A Java error comes with its whole stack; what it is about stands in the lines before.
        about = " ".join(str(error).split())[:_ERROR_LENGTH]
        return Reply(FAILED, complaints=(f"{arguments.command}: Spark gave up: {about}",))


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
    if command is Command.PROMOTE:
        store.load(arguments.version, around.public_key)
        return Reply(DONE, asdict(store.promote(arguments.version)))
    if command is Command.ROLLBACK:
        return Reply(DONE, asdict(store.rollback()))
    if command is Command.LIST:
        return Reply(DONE, list_versions(store, around.public_key))
    return Reply(DONE, describe(store, arguments.version, around.public_key))


def _train(arguments: argparse.Namespace, around: Surroundings) -> Reply:
    outcome = run_train(arguments, around)
    complaints = tuple(f"refused: {sentence}" for sentence in outcome.chosen.verdict.refusals)
    return Reply(DONE if outcome.published else REFUSED, to_report(outcome), complaints)


def _open_producer(settings: TrainerSettings) -> RecordProducer:
    return RecordProducer(settings.kafka_bootstrap, client_id="trainer", partitioner=PARTITIONER)
