"""`interlude dlq list | show TOPIC | replay TOPIC`: what could not be taken, why, and once more when that is mended."""

import argparse
import itertools
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from cli import exits
from cli.places import KAFKA, NoPlace, add_place, find
from cli.replaying import Replay, RoundFailed, replay_letters
from cli.table import render
from interlude.events.topics import PARTITIONER, Topic
from interlude.servicekit.dead_letter_reading import (
    DeadLetter,
    count_done,
    dead_letter_topics,
    mark_as_done,
    open_letters,
)
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.producing import RecordProducer

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_VALUE_BYTES: Final = 80
_KINDS: Final = 10
"""Kinds of errors listed for a topic."""
_DIGITS: Final = re.compile(r"\d+")
_PERSONAL: Final = f"{Topic.CUSTOMERS}."
_HARMLESS: Final = """Replaying twice is harmless: the enricher knows an event by its id, and a text is sent once per customer and
campaign. What still cannot be taken comes back as a new dead letter."""


def add_to(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the parser of this command."""
    actions = commands.add_parser("dlq", help="dead letters: list, show, replay").add_subparsers(
        required=True, metavar="ACTION"
    )
    listing = actions.add_parser(
        "list", help="dead letters: what is open by topic, stage and error, and how many are dealt with"
    )
    listing.set_defaults(run=partial(_run, run_list))
    show = actions.add_parser("show", help="the oldest open dead letters of a topic")
    show.add_argument("topic", metavar="TOPIC", help="as `dlq list` names it")
    show.add_argument("--limit", type=_whole, default=10, metavar="N", help="at most so many (10)")
    show.add_argument("--values", action="store_true", help="print values of customers too: personal data")
    show.set_defaults(run=partial(_run, run_show))
    replay = actions.add_parser("replay", help="produce the open dead letters to their topic again", epilog=_HARMLESS)
    replay.add_argument("topic", metavar="TOPIC", help="as `dlq list` names it")
    replay.add_argument("--stage", metavar="STAGE", help="only those of this stage: size, parse or validate")
    replay.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    replay.set_defaults(run=partial(_run, run_replay))
    for parser in (listing, show, replay):
        add_place(parser, KAFKA)


def run_list(bootstrap: str, _arguments: argparse.Namespace) -> int:
    """Prints what is open in every topic of dead letters."""
    topics = dead_letter_topics(bootstrap)
    done = {topic: count_done(bootstrap, topic) for topic in topics}
    print(to_list({topic: count_letters(open_letters(bootstrap, topic)) for topic in topics}, done))
    return exits.OK


def run_show(bootstrap: str, arguments: argparse.Namespace) -> int:
    """Prints the oldest open letters of a topic."""
    letters = list(itertools.islice(open_letters(bootstrap, arguments.topic), arguments.limit))
    with_values = arguments.values or not arguments.topic.startswith(_PERSONAL)
    texts = [to_text(letter, with_values=with_values) for letter in letters]
    print("\n\n".join(texts) or f"{arguments.topic}: nothing is open")
    return exits.OK


def run_replay(bootstrap: str, arguments: argparse.Namespace) -> int:
    """Produces the letters again, waits until Kafka has them, and closes them."""
    topic, stage = arguments.topic, arguments.stage
    producer = RecordProducer(bootstrap, client_id="interlude-dlq", partitioner=PARTITIONER)
    letters = open_letters(bootstrap, topic)
    done = replay_letters(letters, topic, stage, None if arguments.dry_run else producer)
    not_noted = mark_as_done(bootstrap, topic, done.closed) if done.closed and not arguments.dry_run else 0
    print(to_summary(done, topic, not_noted, dry_run=arguments.dry_run))
    return exits.OK


def count_letters(letters: Iterable[DeadLetter]) -> Counter[tuple[str, str]]:
    """How many there are by stage and kind of error; errors that differ in their numbers alone are of one kind."""
    return Counter((letter.stage or "?", _DIGITS.sub("#", letter.error) or "?") for letter in letters)


def to_list(counts: Mapping[str, Counter[tuple[str, str]]], done: Mapping[str, int]) -> str:
    """A paragraph for each topic with letters. `done`: by topic, how many are dealt with and still in Kafka."""
    parts = [_topic_text(topic, kinds, done[topic]) for topic, kinds in counts.items() if kinds or done[topic]]
    return "\n\n".join(parts) or f"nothing is open in {len(counts)} topics of dead letters"


def to_text(letter: DeadLetter, *, with_values: bool) -> str:
    """One letter for a person. Whatever came from outside is escaped: it cannot steer a terminal."""
    rows = [
        ("from", f"{letter.topic}, partition {letter.partition}, offset {letter.offset}"),
        ("group", letter.group),
        ("stage", letter.stage),
        ("error", letter.error),
        ("key", _first_bytes(letter.key)),
        ("size", "no value" if letter.value is None else f"{len(letter.value)} bytes"),
        ("value", _first_bytes(letter.value) if with_values else "personal data, shown with --values"),
        *(("header", f"{name}: {_first_bytes(_as_bytes(value))}") for name, value in letter.headers),
    ]
    return f"partition {letter.place[0]}, offset {letter.place[1]}\n" + render(
        [(name, _printable(text)) for name, text in rows]
    )


def to_summary(done: Replay, topic: str, not_noted: int, *, dry_run: bool) -> str:
    """What was done, or would be. `not_noted`: of the replayed, those that could not be marked as such."""
    verb = "would be replayed" if dry_run else "replayed"
    lines = [f"{topic}: {done.replayed} {verb}, {done.left_out} left out"]
    if done.foreign:
        lines.append(f"{done.foreign} of those left out say nothing of where they are from")
    if not_noted:
        lines.append(
            f"{not_noted} of the replayed stay listed as open: too many are left out between them to note each"
        )
    return "\n".join([*lines, _HARMLESS] if done.replayed else lines)


def _whole(text: str) -> int:
    """For argparse. Raises `ValueError`."""
    if not text.isdecimal():
        raise ValueError(text)
    return int(text)


def _run(action: Callable[[str, argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    try:
        return action(find(arguments, KAFKA), arguments)
    except NoPlace as error:
        print(f"interlude: {error}", file=sys.stderr)
        return exits.USAGE
    except (RoundFailed, Unavailable) as error:
        print(f"interlude: {error}", file=sys.stderr)
        return exits.PROBLEMS


def _topic_text(topic: str, kinds: Counter[tuple[str, str]], done: int) -> str:
    rows = [(str(count), stage, _printable(error)) for (stage, error), count in kinds.most_common(_KINDS)]
    replayed = f", {done} replayed or closed" if done else ""
    lines = [f"{topic}: {kinds.total()} open{replayed}", *([render(rows)] if rows else [])]
    return "\n".join(lines) + (f"\n  and {len(kinds) - _KINDS} other kinds" if len(kinds) > _KINDS else "")


def _first_bytes(content: bytes | None) -> str:
    if content is None:
        return "none"
    return repr(content[:_VALUE_BYTES])[2:-1] + ("…" if len(content) > _VALUE_BYTES else "")


def _as_bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
