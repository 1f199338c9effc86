"""The command line: what can be asked for, and its defaults."""

import argparse
import sys
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final, NoReturn

from interlude.features.schema import FEATURE_NAMES, STATE_FEATURE_NAMES
from services.trainer.decision_rows import DecisionRule
from services.trainer.estimators import ClassWeight
from services.trainer.fitting import Plan
from services.trainer.gate import Limits
from services.trainer.history import RowKind, RowRule
from services.trainer.lake.commands import LakeCommand
from services.trainer.lake.reading import Days
from services.trainer.linear import Algorithm
from services.trainer.splitting import Split
from services.trainer.training import Request
from services.trainer.uplifting import UpliftRequest


class Command(StrEnum):
    """What the trainer can do."""

    TRAIN = "train"
    AUDIENCE = "audience"
    LAKE = "lake"
    SESSION = "session"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    LIST = "list"
    SHOW = "show"
    DIFF = "diff"
    HISTORY = "history"
    TRY = "try"
    WITHDRAW = "withdraw"
    LOOP = "loop"
    UPLIFT = "uplift"


HOUR_MS: Final = 3_600_000
USAGE: Final = 64


class Parser(argparse.ArgumentParser):
    """Ends with EX_USAGE of sysexits.h where argparse would end with 2, which means here that the gate refused."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line, and end."""
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of `python -m services.trainer`."""
    parser = Parser(
        prog="python -m services.trainer",
        description="Train, gate and publish models; choose who is texted. Exit code 2 of `train`: the gate refused.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_train(commands.add_parser(Command.TRAIN, help="fit, measure, gate and publish a model"))
    _add_audience(commands.add_parser(Command.AUDIENCE, help="score every customer and ask for offers by SMS"))
    _add_lake(
        commands.add_parser(Command.LAKE, help="Kafka's log as Parquet by day: write it, compact it, say what is there")
    )
    _add_uplift(commands.add_parser(Command.UPLIFT, help="whether choosing by what the offer changes would sell more"))
    commands.add_parser(Command.SESSION, help="run the commands of standard input, one a line, on one Spark session")
    promote = commands.add_parser(Command.PROMOTE, help="make a version the champion")
    promote.add_argument("version")
    commands.add_parser(Command.ROLLBACK, help="make the previous champion the champion again")
    commands.add_parser(Command.LIST, help="list all versions, newest first")
    show = commands.add_parser(Command.SHOW, help="print the manifest of a version, or its card")
    show.add_argument("version")
    show.add_argument("--card", action="store_true", help="the model in words (Markdown)")
    diff = commands.add_parser(Command.DIFF, help="how two versions differ, in words and in answers")
    diff.add_argument("version")
    diff.add_argument("other")
    commands.add_parser(Command.HISTORY, help="every promotion, rollback and trial, newest first, with its reason")
    attempt = commands.add_parser(Command.TRY, help="make a version the candidate, in shadow or as a canary")
    attempt.add_argument("version")
    attempt.add_argument(
        "--share", type=_share, default=0.0, help="of the listeners it decides for; 0 (default): shadow"
    )
    commands.add_parser(Command.WITHDRAW, help="end the trial of the candidate")
    _add_loop(commands.add_parser(Command.LOOP, help="train, try and promote by itself, round after round"))
    return parser


def to_request(arguments: argparse.Namespace) -> Request:
    """What `train` was asked for."""
    tuning = Split(arguments.tuning_folds, arguments.seed)
    measuring = Split(arguments.folds, arguments.seed)  # of as many folds: the same fits serve both
    iterations = {
        Algorithm.LOGISTIC: arguments.logistic_iterations,
        Algorithm.SVM: arguments.svm_iterations,
        Algorithm.BOOSTED: arguments.boosted_iterations,
    }
    return Request(
        algorithms=tuple(arguments.algorithms),
        plan=Plan(tuple(arguments.regularisations), tuple(arguments.class_weights), tuning, measuring, iterations),
        limits=Limits(),
        threshold=arguments.threshold,
        promote=arguments.promote,
        another_population=arguments.another_population,
    )


def to_row_rule(arguments: argparse.Namespace) -> RowRule:
    """The rows of the log that `train` was asked to use."""
    return RowRule(RowKind(arguments.rows), arguments.campaign, round(arguments.attribution_hours * HOUR_MS))


def to_decision_rule(arguments: argparse.Namespace, now_ms: int) -> DecisionRule:
    """The decisions of the lake that were asked for, `now_ms` being now."""
    since = arguments.since
    if arguments.last_days:
        today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
        since = (today - timedelta(days=arguments.last_days - 1)).isoformat()
    days = Days(since, arguments.until)
    return DecisionRule(arguments.campaign, round(arguments.attribution_hours * HOUR_MS), days)


def to_uplift_request(arguments: argparse.Namespace, now_ms: int) -> UpliftRequest:
    """What `uplift` was asked for."""
    split = Split(arguments.folds, arguments.seed)
    return UpliftRequest(to_decision_rule(arguments, now_ms), arguments.features, split, arguments.regularisation)


def _add_train(parser: argparse.ArgumentParser) -> None:
    _add_rows(parser)
    _add_fits(parser)
    parser.add_argument(
        "--decisions",
        metavar="URL",
        help="Parquet of logged decisions with their outcomes: the candidate's value is estimated from them",
    )
    parser.add_argument("--threshold", type=_share, default=0.5, help="probability from which the offer is shown")
    parser.add_argument("--promote", action="store_true", help="make the new version the champion")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the report as a page, HTML with its plots")
    _add_report(parser)


def _add_rows(parser: argparse.ArgumentParser) -> None:
    """Where the rows come from."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--features-file", type=Path, metavar="FILE", help="train on a file in libsvm format")
    source.add_argument("--rows", choices=[kind.value for kind in RowKind], help="train on the log: a row is one ...")
    parser.add_argument(
        "--lake",
        nargs="?",
        const="",
        metavar="URL",
        help="read the log from the lake (URL: another than TRAINER_LAKE), not from Kafka; decisions always come from there",
    )
    _add_days(parser, "with --rows decisions: ")
    parser.add_argument(
        "--campaign",
        "--positive-campaign",
        dest="campaign",
        default="",
        metavar="ID",
        help="the campaign that was shown; with --rows clicks: the campaign whose clicks are the positives",
    )
    parser.add_argument(
        "--features",
        type=_features,
        default=STATE_FEATURE_NAMES,
        metavar="NAMES",
        help="what the model takes, comma-separated (docs/features.md; default: the stored vector); a file has the default ones",
    )
    parser.add_argument(
        "--attribution-hours", type=_positive, default=24.0, help="a click this long after an impression is its doing"
    )
    parser.add_argument(
        "--another-population",
        action="store_true",
        help="the rows are not of those whom the champion was trained on: do not refuse them for being different",
    )


def _add_days(parser: argparse.ArgumentParser, of_what: str) -> None:
    first = parser.add_mutually_exclusive_group()
    first.add_argument("--since", type=_day, default="", metavar="DAY", help=f"{of_what}from this UTC day on")
    first.add_argument(
        "--last-days",
        type=_days,
        default=0,
        metavar="N",
        help=f"{of_what}of the last N UTC days, today's among them: for what runs every night; no other day is read",
    )
    parser.add_argument("--until", type=_day, default="", metavar="DAY", help=f"{of_what}up to this UTC day")


def _add_fits(parser: argparse.ArgumentParser) -> None:
    """What is fitted to them."""
    parser.add_argument("--folds", type=_folds, default=10, help="folds of the out-of-fold measures (default 10)")
    parser.add_argument("--tuning-folds", type=_folds, default=3, help="folds for choosing regularisation (default 3)")
    parser.add_argument(
        "--regularisations", type=_values, default=(0.0, 1e-4, 1e-3, 1e-2), help="values tried, comma-separated"
    )
    parser.add_argument(
        "--class-weights",
        type=_class_weights,
        default=tuple(ClassWeight),
        help="tried, comma-separated: plain, balanced (default both)",
    )
    parser.add_argument(
        "--algorithms",
        type=_algorithms,
        default=(Algorithm.LOGISTIC, Algorithm.SVM),
        help="of logistic, svm and boosted, comma-separated (default the first two)",
    )
    parser.add_argument("--logistic-iterations", type=int, default=100, help="at most (default 100)")
    parser.add_argument(
        "--svm-iterations", type=int, default=100, help="at most (default 100); each costs several passes"
    )
    parser.add_argument("--boosted-iterations", type=int, default=20, help="trees (default 20)")
    parser.add_argument("--seed", type=int, default=42, help="decides folds and resamples (default 42)")


def _add_uplift(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--campaign", required=True, metavar="ID", help="the campaign that was decided on")
    parser.add_argument("--lake", default="", metavar="URL", help="another lake than TRAINER_LAKE")
    _add_days(parser, "decisions ")
    parser.add_argument(
        "--attribution-hours", type=_positive, default=24.0, help="a conversion this long after a decision follows it"
    )
    parser.add_argument(
        "--features",
        type=_features,
        default=STATE_FEATURE_NAMES,
        metavar="NAMES",
        help="what both models take, comma-separated; those of the champion have to be among them",
    )
    parser.add_argument(
        "--folds", type=_folds, default=5, help="each is judged by models that did not see it (default 5)"
    )
    parser.add_argument("--regularisation", type=float, default=1e-3, help="of both models (default 0.001)")
    parser.add_argument("--seed", type=int, default=42, help="decides the folds (default 42)")
    _add_report(parser)


def _add_loop(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--every", default="15m", help="a round begins so often: 30s, 15m, 6h, 1d (default 15m)")
    parser.add_argument("--rounds", type=int, default=0, metavar="N", help="end after so many; 0 (default): go on")
    parser.add_argument("--shadow", default="15m", help="how long a candidate scores in shadow (default 15m)")
    parser.add_argument("--canary", default="2h", help="how long it decides for a share at least (default 2h)")
    parser.add_argument("--longest", default="2d", help="who has not proved itself by then goes (default 2d)")
    parser.add_argument("--probation", default="1d", help="how long a new champion is watched at least (default 1d)")
    parser.add_argument("--canary-share", type=_share, default=0.1, help="of the listeners (default 0.1)")
    parser.add_argument("--canary-decisions", type=int, default=1000, help="of each model at least (default 1000)")
    parser.add_argument(
        "--control-share",
        type=_share,
        default=0.1,
        help="of the listeners, left to the champion before during probation; 0: no probation (default 0.1)",
    )
    parser.add_argument("train", nargs=argparse.REMAINDER, help="-- train ... : what each round trains")


def _add_audience(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--campaign", required=True, metavar="ID", help="the campaign to text")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="the N best only (default: all)")
    parser.add_argument(
        "--expires-hours", type=_positive, default=24.0, help="requests are void after this (default 24)"
    )
    parser.add_argument("--dry-run", action="store_true", help="count, but ask for nothing")
    parser.add_argument(
        "--who",
        type=Path,
        metavar="FILE",
        help="write a line for each customer (CSV: customer_id, score, reason): who is texted, best first, and why others are not",
    )
    _add_report(parser)


def _add_lake(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="lake_command", required=True, metavar="COMMAND")
    running = commands.add_parser(LakeCommand.RUN, help="write what comes into Kafka to the lake until told to stop")
    running.add_argument("--once", action="store_true", help="end when all that Kafka held at the start is written")
    compacting = commands.add_parser(LakeCommand.COMPACT, help="closed days into few files, each event once")
    compacting.add_argument("--open-days", action="store_true", help="also the day that is not over yet")
    commands.add_parser(LakeCommand.STATUS, help="rows, days, files, newest event and lag of each table")


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the JSON report here instead of printing it")


def _day(text: str) -> str:
    if not text:
        return ""  # the default, which argparse reads as if it had been typed
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a day, as in 2026-01-31") from None


def _days(text: str) -> int:
    if (days := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least one day is needed")
    return days


def _folds(text: str) -> int:
    if (folds := int(text)) < 2:
        raise argparse.ArgumentTypeError("at least 2 folds are needed")
    return folds


def _positive(text: str) -> float:
    if (value := float(text)) <= 0:
        raise argparse.ArgumentTypeError("more than 0 is needed")
    return value


def _share(text: str) -> float:
    if not 0 <= (value := float(text)) <= 1:
        raise argparse.ArgumentTypeError("between 0 and 1, please")
    return value


def _values(text: str) -> tuple[float, ...]:
    values = tuple(float(part) for part in text.split(","))
    if min(values) < 0:
        raise argparse.ArgumentTypeError("regularisation is at least 0")
    return values


def _features(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := [name for name in names if name not in FEATURE_NAMES]:
        raise argparse.ArgumentTypeError(f"no feature is named {', '.join(map(repr, unknown))}")
    if len(set(names)) != len(names):
        raise argparse.ArgumentTypeError("a feature is named twice")
    return names


def _class_weights(text: str) -> tuple[ClassWeight, ...]:
    return tuple(ClassWeight(part) for part in text.split(","))


def _algorithms(text: str) -> tuple[Algorithm, ...]:
    return tuple(Algorithm(part) for part in text.split(","))
