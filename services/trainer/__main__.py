"""`python -m services.trainer COMMAND`: reads the environment, builds what a command needs, runs it, prints one JSON document.

Exit code 0: done. 2: the gate refused the candidate, nothing was published. Anything else: an error, told in one sentence.
"""

import argparse
import json
import os
import sys
from functools import partial

from interlude.models.store import ModelStore
from interlude.servicekit.lifecycle import refuse_to_start
from interlude.servicekit.logs import configure_logs
from interlude.servicekit.settings import InvalidSettings, load_settings
from services.trainer.arguments import USAGE, Command, build_parser
from services.trainer.commands import Surroundings
from services.trainer.looping import run_loop
from services.trainer.publishing import public_key_of
from services.trainer.replies import DONE, FAILED, now_ms, reply_to, write_report
from services.trainer.serving import serve
from services.trainer.session import SparkUnavailable, spark_session
from services.trainer.settings import TrainerSettings


def main() -> int:
    """Run the command of this process; returns its exit code."""
    arguments = build_parser().parse_args()
    around = _surroundings(needs_key=arguments.command != Command.LAKE)
    if arguments.command in (
        Command.SESSION,
        Command.LOOP,
        Command.TRAIN,
        Command.UPLIFT,
        Command.AUDIENCE,
        Command.LAKE,
    ):
        os.nice(around.settings.nice)
    if arguments.command == Command.LOOP:
        return _loop(arguments, around)
    return _serve(around) if arguments.command == Command.SESSION else _run(arguments, around)


def _surroundings(*, needs_key: bool) -> Surroundings:
    try:
        settings = load_settings(TrainerSettings, os.environ)
        public_key = public_key_of(settings.model_private_key) if needs_key else ""
    except InvalidSettings as error:
        refuse_to_start("trainer", error)
    except ValueError:
        refuse_to_start("trainer", ValueError("TRAINER_MODEL_PRIVATE_KEY is not the base64 of 32 bytes"))
    configure_logs("trainer", settings.log_level)
    open_spark = partial(
        spark_session, settings.spark_master, settings.spark_jars, settings.spark_java_options, settings.spark_memory
    )
    return Surroundings(settings, ModelStore(settings.model_store), public_key, now_ms, open_spark)


def _loop(arguments: argparse.Namespace, around: Surroundings) -> int:
    try:
        return run_loop(arguments, around)
    except (ValueError, argparse.ArgumentTypeError) as error:
        print(f"{Command.LOOP}: {error}", file=sys.stderr)
        return USAGE


def _run(arguments: argparse.Namespace, around: Surroundings) -> int:
    reply = reply_to(arguments, around)
    if reply.document is not None and not write_report(reply, arguments):
        print(_printed(reply.document), flush=True)
    for complaint in reply.complaints:
        print(complaint, file=sys.stderr)
    return reply.exit_code


def _printed(document: object) -> str:
    """A card is text; everything else is JSON."""
    return document if isinstance(document, str) else json.dumps(document, allow_nan=False)


def _serve(around: Surroundings) -> int:
    # Answers have standard output to themselves: whatever the JVM prints goes where errors go.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        with answers, around.open_spark() as spark:
            serve(sys.stdin, lambda answer: print(json.dumps(answer), file=answers, flush=True), spark, around)
    except SparkUnavailable as error:
        print(f"{Command.SESSION}: {error}", file=sys.stderr)
        return FAILED
    return DONE


if __name__ == "__main__":
    raise SystemExit(main())
