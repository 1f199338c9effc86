"""`python -m services.trainer COMMAND`: reads the environment, builds what a command needs, runs it, prints one JSON document.

Exit code 0: done. 2: the gate refused the candidate, nothing was published. Anything else: an error, told in one sentence.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark.errors import PySparkException

from interlude.events.topics import PARTITIONER
from interlude.models.manifest import RefusedModel
from interlude.models.store import ModelStore
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.lifecycle import refuse_to_start
from interlude.servicekit.logs import configure_logs
from interlude.servicekit.producing import RecordProducer
from interlude.servicekit.settings import InvalidSettings, load_settings
from services.trainer.arguments import Command, build_parser
from services.trainer.commands import Surroundings, run_audience, run_train
from services.trainer.dataset import UnusableRows
from services.trainer.publishing import public_key_of
from services.trainer.registry import describe, list_versions
from services.trainer.report import to_report
from services.trainer.session import SparkUnavailable
from services.trainer.settings import TrainerSettings

DONE: Final = 0
FAILED: Final = 1
REFUSED: Final = 2
_ERROR_LENGTH: Final = 500


def main() -> int:
    """Run the command of this process; returns its exit code."""
    arguments = build_parser().parse_args()
    try:
        settings = load_settings(TrainerSettings, os.environ)
        public_key = public_key_of(settings.model_private_key)
    except InvalidSettings as error:
        refuse_to_start("trainer", error)
    except ValueError:
        refuse_to_start("trainer", ValueError("TRAINER_MODEL_PRIVATE_KEY is not the base64 of 32 bytes"))
    configure_logs("trainer", settings.log_level)
    try:
        around = Surroundings(settings, ModelStore(settings.model_store), public_key, _now_ms)
        return _run(Command(arguments.command), arguments, around)
    except (UnusableRows, RefusedModel, SparkUnavailable, Unavailable) as error:
        print(f"{arguments.command}: {error}", file=sys.stderr)
        return FAILED
    except (PySparkException, Py4JError) as error:
        # A Java error comes with its whole stack; what it is about stands in the lines before.
        print(f"{arguments.command}: Spark gave up: {' '.join(str(error).split())[:_ERROR_LENGTH]}", file=sys.stderr)
        return FAILED


def _run(command: Command, arguments: argparse.Namespace, around: Surroundings) -> int:
    store = around.store
    if command is Command.TRAIN:
        return _train(arguments, around)
    if command is Command.AUDIENCE:
        os.nice(around.settings.nice)
        return _tell(run_audience(arguments, around, partial(_open_producer, around.settings)), arguments.report)
    if command is Command.PROMOTE:
        store.load(arguments.version, around.public_key)
        return _tell(asdict(store.promote(arguments.version)), None)
    if command is Command.ROLLBACK:
        return _tell(asdict(store.rollback()), None)
    if command is Command.LIST:
        return _tell(list_versions(store, around.public_key), None)
    return _tell(describe(store, arguments.version, around.public_key), None)


def _train(arguments: argparse.Namespace, around: Surroundings) -> int:
    os.nice(around.settings.nice)
    outcome = run_train(arguments, around)
    _tell(to_report(outcome), arguments.report)
    for sentence in outcome.chosen.verdict.refusals:
        print(f"refused: {sentence}", file=sys.stderr)
    return DONE if outcome.published else REFUSED


def _open_producer(settings: TrainerSettings) -> RecordProducer:
    return RecordProducer(settings.kafka_bootstrap, client_id="trainer", partitioner=PARTITIONER)


def _tell(document: Any, report: Path | None) -> int:
    line = json.dumps(document, allow_nan=False)
    if report is None:
        print(line, flush=True)
    else:
        report.write_text(line + "\n", encoding="utf-8")
    return DONE


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    raise SystemExit(main())
