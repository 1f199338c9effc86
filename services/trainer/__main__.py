"""`python -m services.trainer COMMAND`: reads the environment, builds what a command needs, runs it, prints one JSON document.

Exit code 0: done. 2: the gate refused the candidate, nothing was published. Anything else: an error, told in one sentence.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from interlude.models.manifest import RefusedModel
from interlude.models.store import ModelStore
from interlude.servicekit.lifecycle import refuse_to_start
from interlude.servicekit.logs import configure_logs
from interlude.servicekit.settings import InvalidSettings, load_settings
from services.trainer.arguments import Command, build_parser, to_request
from services.trainer.dataset import UnusableRows, read_features_file
from services.trainer.publishing import public_key_of
from services.trainer.registry import describe, list_versions
from services.trainer.report import to_report
from services.trainer.session import spark_session
from services.trainer.settings import TrainerSettings
from services.trainer.training import Stopwatch, Trainer

DONE: Final = 0
FAILED: Final = 1
REFUSED: Final = 2


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
        return _run(Command(arguments.command), arguments, settings, public_key)
    except (UnusableRows, RefusedModel) as error:
        print(f"{arguments.command}: {error}", file=sys.stderr)
        return FAILED


def _run(command: Command, arguments: argparse.Namespace, settings: TrainerSettings, public_key: str) -> int:
    store = ModelStore(settings.model_store)
    if command is Command.TRAIN:
        return _train(arguments, settings, store)
    if command is Command.PROMOTE:
        store.load(arguments.version, public_key)
        return _tell(asdict(store.promote(arguments.version)), None)
    if command is Command.ROLLBACK:
        return _tell(asdict(store.rollback()), None)
    if command is Command.LIST:
        return _tell(list_versions(store, public_key), None)
    return _tell(describe(store, arguments.version, public_key), None)


def _train(arguments: argparse.Namespace, settings: TrainerSettings, store: ModelStore) -> int:
    os.nice(settings.nice)
    watch = Stopwatch()
    trainer = Trainer(store, settings.model_private_key, _now_ms)
    with watch.step("total"):
        start = time.perf_counter()
        with spark_session(settings.spark_master, settings.spark_jars) as spark:
            watch.seconds["start"] = round(time.perf_counter() - start, 3)
            outcome = trainer.train(
                lambda: read_features_file(spark, arguments.features_file), to_request(arguments), watch
            )
    _tell(to_report(outcome), arguments.report)
    for sentence in outcome.chosen.verdict.refusals:
        print(f"refused: {sentence}", file=sys.stderr)
    return DONE if outcome.published else REFUSED


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
