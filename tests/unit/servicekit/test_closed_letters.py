"""What is noted as dealt with is what was, no more."""

import random

import pytest

from interlude.servicekit.closed_letters import NOTE_LIMIT, ClosedLetters, Run, from_note, to_note


def test_everything_before_the_offset_and_in_a_run_is_closed() -> None:
    closed = ClosedLetters(5).with_runs([Run(7, 8), Run(11, 11)])
    assert [offset for offset in range(14) if offset not in closed] == [5, 6, 9, 10, 12, 13]
    assert closed.count_since(3) == 2 + 2 + 1
    assert closed.count_since(6) == 2 + 1


def test_runs_that_touch_become_one_and_the_offset_moves_through_them() -> None:
    assert ClosedLetters(5).with_runs([Run(9, 9), Run(7, 8)]) == ClosedLetters(5, (Run(7, 9),))
    assert ClosedLetters(5, (Run(7, 9),)).with_runs([Run(5, 6)]) == ClosedLetters(10)
    assert ClosedLetters(5).with_runs([Run(0, 3)]) == ClosedLetters(5)


@pytest.mark.parametrize("seed", range(50))
def test_a_set_of_offsets_survives_the_note(seed: int) -> None:
    chance = random.Random(seed)
    closed, expected = ClosedLetters(3), {0, 1, 2}
    for _ in range(12):
        first = chance.randrange(60)
        run = Run(first, first + chance.randrange(5))
        closed = closed.with_runs([run])
        expected |= set(range(run.first, run.last + 1))
        closed = from_note(closed.offset, to_note(closed.runs))
        assert {offset for offset in range(70) if offset in closed} == expected
        assert closed.count_since(0) == len(expected)
        assert closed.offset not in closed


def test_a_note_that_would_be_too_long_leaves_out_the_last_runs() -> None:
    closed = ClosedLetters(0, tuple(Run(2 * number, 2 * number) for number in range(1, 2000)))
    fitting = closed.fitting()
    assert NOTE_LIMIT - 12 < len(to_note(fitting.runs)) <= NOTE_LIMIT
    assert fitting.runs == closed.runs[: len(fitting.runs)]


@pytest.mark.parametrize("note", ["", "generation 7", "replayed 1-x", "replayed 1", "replayed"])
def test_a_note_of_somebody_else_says_nothing(note: str) -> None:
    assert from_note(4, note) == ClosedLetters(4)
