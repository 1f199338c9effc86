"""The command `loop`: wires a `Loop` to the log, the store and `train`, and prints one line of JSON a round."""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from interlude.servicekit.lifecycle import stop_on_signals
from interlude.v1 import decision_pb2 as pb
from services.trainer.arguments import Command, build_parser
from services.trainer.commands import Surroundings
from services.trainer.loop import Loop, Trained, every
from services.trainer.replies import DONE, FAILED, REFUSED, Reply, TrainingFailed, guarded, reply_to
from services.trainer.trial import Rules
from services.trainer.trial_log import clicks_since, decisions_since

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)")
_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class KafkaTrialLog:
    """Decisions and clicks out of Kafka."""

    bootstrap: str

    def decisions(self, since_ms: int) -> Iterator[pb.DecisionLogged]:
        """Raises `Unavailable`."""
        return decisions_since(self.bootstrap, since_ms)

    def clicks(self, since_ms: int) -> set[str]:
        """Raises `Unavailable`."""
        return clicks_since(self.bootstrap, since_ms)


def seconds_of(text: str) -> float:
    """`15m` is 900 seconds; s, m, h and d are known. Raises `argparse.ArgumentTypeError`."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration like 30s, 15m, 6h or 1d")
    return float(found[1]) * _UNIT_SECONDS[found[2]]


def run_loop(arguments: argparse.Namespace, around: Surroundings) -> int:
    """Rounds until SIGTERM, SIGINT or the last of `--rounds`; the exit code is that of the last round.

    A round that fails is told and not the end: Kafka or the store may be back at the next.
    """
    stop = stop_on_signals()
    loop = Loop(
        around.store,
        around.public_key,
        KafkaTrialLog(around.settings.kafka_bootstrap),
        _trainer(arguments.train, around),
        _rules(arguments),
        around.now_ms,
    )
    exit_code = DONE
    for number in every(seconds_of(arguments.every), arguments.rounds, stop):
        reply = guarded(Command.LOOP, lambda: Reply(DONE, loop.round()))
        print(json.dumps({"round": number, **(reply.document or {"step": "failed"})}, allow_nan=False), flush=True)
        for complaint in reply.complaints:
            print(complaint, file=sys.stderr, flush=True)
        exit_code = _exit_code(reply)
    return exit_code


def train_arguments(words: list[str]) -> argparse.Namespace:
    """The command line of each round's training, without the leading `--`. Raises `ValueError` for any other command, and for
    `--promote`: the loop promotes what proved itself."""
    words = words[1:] if words[:1] == ["--"] else words
    if words[:1] != [Command.TRAIN.value]:
        raise ValueError("after -- comes what each round trains, e.g. `-- train --rows impressions --campaign ID`")
    arguments = build_parser().parse_args(words)
    if arguments.promote:
        raise ValueError("--promote is not for a loop: it promotes what proved itself")
    return arguments


def _trainer(words: list[str], around: Surroundings) -> Callable[[], Trained]:
    arguments = train_arguments(words)

    def train() -> Trained:
        reply = reply_to(arguments, around)
        if reply.document is None or reply.exit_code not in (DONE, REFUSED):
            raise TrainingFailed("; ".join(reply.complaints))
        report: dict[str, Any] = reply.document
        return Trained(report["published"] or "", report)

    return train


def _rules(arguments: argparse.Namespace) -> Rules:
    return Rules(
        shadow_ms=round(1000 * seconds_of(arguments.shadow)),
        canary_ms=round(1000 * seconds_of(arguments.canary)),
        longest_ms=round(1000 * seconds_of(arguments.longest)),
        probation_ms=round(1000 * seconds_of(arguments.probation)),
        share=arguments.canary_share,
        control_share=arguments.control_share,
        decisions=arguments.canary_decisions,
    )


def _exit_code(reply: Reply) -> int:
    if reply.exit_code != DONE:
        return FAILED
    document = reply.document
    return REFUSED if document["step"] == Command.TRAIN and not document["version"] else DONE
