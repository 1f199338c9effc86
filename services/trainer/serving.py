"""Several commands on one Spark session, for whoever has more than one: the JVM, its warm code and its Python workers stay.

A line of input is a command line as a shell would read it; the answer is one line of JSON: `exit_code`, `report` (null
where there is none) and `complaints`. The end of the input ends the session.
"""

import shlex
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Final

from pyspark.sql import SparkSession

from services.trainer.arguments import USAGE, Command, build_parser
from services.trainer.commands import Surroundings
from services.trainer.replies import Reply, reply_to, write_report

_ONE_AT_A_TIME: Final = Reply(USAGE, complaints=("session: a session takes commands, not another session and no loop",))


def serve(
    lines: Iterable[str], answer: Callable[[dict[str, Any]], None], spark: SparkSession, around: Surroundings
) -> None:
    """Answer every line that is not empty, one after the other, until there are no more."""
    shared = replace(around, open_spark=lambda: nullcontext(spark))
    for line in filter(str.strip, lines):
        reply = _reply(line, shared)
        # What one command cached is of no use to the next, which is to see the log as it is by then.
        spark.catalog.clearCache()
        answer({"exit_code": reply.exit_code, "report": reply.document, "complaints": reply.complaints})


def _reply(line: str, around: Surroundings) -> Reply:
    try:
        arguments = build_parser().parse_args(shlex.split(line))
    except SystemExit:
        return Reply(USAGE, complaints=(f"session: no command of the trainer: {line.strip()}",))
    except ValueError as error:
        return Reply(USAGE, complaints=(f"session: {error}: {line.strip()}",))
    if arguments.command in (Command.SESSION, Command.LOOP):
        return _ONE_AT_A_TIME
    reply = reply_to(arguments, around)
    write_report(reply, arguments)
    return reply
