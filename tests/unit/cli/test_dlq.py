"""`interlude dlq`: what is counted, how a letter reads, and which letters a replay closes."""

import pytest

from cli.dlq import count_letters, to_list, to_summary, to_text
from cli.replaying import RoundFailed, replay_letters
from interlude.servicekit.closed_letters import Run
from interlude.servicekit.dead_letter_reading import DeadLetter
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.producing import KafkaHeaders

TOPIC = "listens.enricher.dlq"
CUSTOMERS = "customers.enricher.dlq"


class Sender:
    """Takes `room` records, and says at the flush whether Kafka has them."""

    def __init__(self, *, room: int = 100, delivers: bool = True) -> None:
        self.sent: list[tuple[str, bytes | None, bytes | None, KafkaHeaders | None]] = []
        self.flushed = 0
        self._room = room
        self._delivers = delivers

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool:
        if len(self.sent) == self._room:
            return False
        self.sent.append((topic, key, value, headers))
        return True

    def flush(self, timeout_seconds: float) -> None:
        assert timeout_seconds > 0
        if not self._delivers:
            raise Unavailable("1 records are not in Kafka")
        self.flushed = len(self.sent)


def _letter(offset: int, stage: str = "parse", *, partition: int = 0, topic: str = "listens") -> DeadLetter:
    return DeadLetter(
        (partition, offset), topic, "3", "17", "enricher", stage, f"{offset} is wrong", b"42", b"v", [("a", b"1")]
    )


def test_letters_are_counted_by_stage_and_kind_of_error() -> None:
    counts = count_letters([_letter(1), _letter(22), _letter(3, "validate")])
    assert to_list({TOPIC: counts, CUSTOMERS: count_letters([])}, {TOPIC: 0, CUSTOMERS: 0}).splitlines() == [
        f"{TOPIC}: 3 open",
        "  2  parse     # is wrong",
        "  1  validate  # is wrong",
    ]
    assert to_list({TOPIC: count_letters([])}, {TOPIC: 0}) == "nothing is open in 1 topics of dead letters"


def test_what_was_replayed_is_listed_as_done() -> None:
    listed = to_list({TOPIC: count_letters([_letter(1)]), CUSTOMERS: count_letters([])}, {TOPIC: 2, CUSTOMERS: 7})
    assert listed.splitlines() == [
        f"{TOPIC}: 1 open, 2 replayed or closed",
        "  1  parse  # is wrong",
        "",
        f"{CUSTOMERS}: 0 open, 7 replayed or closed",
    ]


def test_many_kinds_of_errors_are_cut_off() -> None:
    letters = [_letter(1)._replace(error="x" * number) for number in range(1, 14)]
    assert to_list({TOPIC: count_letters(letters)}, {TOPIC: 0}).splitlines()[-1] == "  and 3 other kinds"


def test_a_letter_reads_with_its_provenance_and_cannot_steer_a_terminal() -> None:
    letter = _letter(5)._replace(value=b"\x1b[2J" + b"\xff" * 100, error="bad \x1b[2J", key=None)
    text = to_text(letter, with_values=True)
    assert text.isascii() is False, "what is cut off ends in an ellipsis"
    assert "\x1b" not in text
    lines = [line.split(maxsplit=1) for line in text.splitlines()]
    assert lines[0] == ["partition", "0, offset 5"]
    assert ["from", "listens, partition 3, offset 17"] in lines
    assert ["error", "bad \\x1b[2J"] in lines
    assert ["key", "none"] in lines
    assert ["size", "104 bytes"] in lines
    assert ["header", "a: 1"] in lines
    assert text.count("\\xff") == 76


def test_values_of_customers_are_not_printed_unless_asked_for() -> None:
    letter = _letter(5)._replace(value=b"Ada Example")
    assert "Ada" not in to_text(letter, with_values=False)
    assert "Ada Example" in to_text(letter, with_values=True)


def test_a_replay_sends_records_as_they_came_and_closes_them() -> None:
    sender = Sender()
    done = replay_letters([_letter(4), _letter(5), _letter(9, partition=1)], TOPIC, None, sender)
    assert sender.sent == [("listens", b"42", b"v", [("a", b"1")])] * 3
    assert sender.flushed == 3
    assert (done.replayed, done.left_out, done.closed) == (3, 0, {0: [Run(0, 5)], 1: [Run(0, 9)]})
    assert "Replaying twice is harmless" in to_summary(done, TOPIC, 0, dry_run=False)


def test_letters_behind_one_that_was_left_out_are_closed_one_by_one() -> None:
    stages = ["parse", "validate", "parse", "parse", "validate", "validate", "parse"]
    letters = [_letter(offset, stage) for offset, stage in enumerate(stages, start=4)]
    done = replay_letters([*letters, _letter(2, partition=1)], TOPIC, "parse", Sender())
    assert (done.replayed, done.left_out) == (5, 3)
    assert done.closed == {0: [Run(0, 4), Run(6, 7), Run(10, 10)], 1: [Run(0, 2)]}


def test_a_letter_that_is_left_out_first_keeps_all_before_it_open() -> None:
    done = replay_letters([_letter(4, "validate"), _letter(5)], TOPIC, "parse", Sender())
    assert done.closed == {0: [Run(5, 5)]}


def test_letters_that_could_not_be_noted_are_said_to_stay() -> None:
    done = replay_letters([_letter(4)], TOPIC, None, Sender())
    assert "3 of the replayed stay listed" in to_summary(done, TOPIC, 3, dry_run=False)


def test_a_record_that_no_service_has_put_there_goes_nowhere() -> None:
    sender = Sender()
    done = replay_letters([_letter(4, topic="decisions")], TOPIC, None, sender)
    assert sender.sent == []
    assert (done.foreign, done.closed) == (1, {})
    assert to_summary(done, TOPIC, 0, dry_run=False).splitlines() == [
        f"{TOPIC}: 0 replayed, 1 left out",
        "1 of those left out say nothing of where they are from",
    ]


def test_a_dry_run_counts_alone() -> None:
    done = replay_letters([_letter(4)], TOPIC, None, None)
    assert to_summary(done, TOPIC, 0, dry_run=True).startswith(f"{TOPIC}: 1 would be replayed, 0 left out")


@pytest.mark.parametrize("sender", [Sender(room=1), Sender(delivers=False)])
def test_a_round_that_kafka_does_not_take_closes_nothing(sender: Sender) -> None:
    with pytest.raises(RoundFailed, match="nothing is closed"):
        replay_letters([_letter(4), _letter(5)], TOPIC, None, sender)
