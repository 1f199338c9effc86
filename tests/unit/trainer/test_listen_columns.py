"""Columns of listens give the kept listens that folding gives, byte for byte, at any moment."""

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlude.features.fold import fold, listen_mark
from interlude.features.schema import LISTENS_KEPT
from interlude.features.state import Listen, ListenerState, Listens, hash_id
from services.trainer.listen_columns import LOCAL_TIME_UNKNOWN, ListenColumns, hash_ids, listen_marks, to_columns

BASE_MS = 1_700_000_000_000

Play = tuple[int, int, str, int, bool, int | None]
"""Customer, time, event id, track, mobile, offset."""

plays = st.lists(
    st.builds(
        # The id says everything else: the same id is the same listen.
        lambda customer, minute, track, mobile, offset: (
            customer,
            BASE_MS + minute * 60_000,
            f"{customer}/{minute}/{track}/{mobile}/{offset}",
            track,
            mobile,
            offset,
        ),
        st.integers(0, 2),
        st.integers(0, 4),
        st.integers(0, 3),
        st.booleans(),
        st.sampled_from([None, -840, 0, 330]),
    ),
    max_size=30,
)


def columns_of(rows: Sequence[Play]) -> ListenColumns:
    """The columns of these plays, in their order."""
    return to_columns(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        [row[2] for row in rows],
        np.array([row[3] for row in rows], np.int64),
        np.array([row[4] for row in rows], np.bool_),
        np.array([LOCAL_TIME_UNKNOWN if row[5] is None else row[5] for row in rows], np.int64),
    )


def folded(rows: Sequence[Play], customer_id: int, at_ms: int) -> Listens:
    """What a state keeps of the customer's plays before that moment."""
    state = ListenerState()
    for customer, played_at_ms, event_id, track, mobile, offset in rows:
        if customer == customer_id and played_at_ms < at_ms:
            state = fold(state, Listen(played_at_ms, hash_id(event_id), track, mobile, offset)).state
    return state.listens


@given(plays, st.integers(0, 2), st.integers(-1, 6))
def test_any_moment_of_anybody(rows: list[Play], customer_id: int, minute: int) -> None:
    columns = columns_of(rows)
    at_ms = BASE_MS + minute * 60_000
    assert columns.before(at_ms, *columns.of(customer_id)) == folded(rows, customer_id, at_ms)


@pytest.mark.parametrize("count", [LISTENS_KEPT - 1, LISTENS_KEPT, LISTENS_KEPT + 1, 3 * LISTENS_KEPT])
def test_the_newest_are_kept(count: int) -> None:
    chance = random.Random(count)
    rows: list[Play] = [
        (customer, BASE_MS + chance.randrange(50) * 1000, f"{customer}/{number}", chance.randrange(9), False, None)
        for number in range(count)
        for customer in (1, 2)
    ]
    columns = columns_of(rows)
    for at_ms in (BASE_MS + 25_000, BASE_MS + 60_000):
        assert columns.before(at_ms, *columns.of(2)) == folded(rows, 2, at_ms)


@given(st.lists(st.tuples(st.integers(0, 2**42), st.booleans(), st.sampled_from([None, *range(-840, 841, 105)]))))
def test_marks_are_those_of_the_fold(rows: list[tuple[int, bool, int | None]]) -> None:
    offsets = [LOCAL_TIME_UNKNOWN if offset is None else offset for _, _, offset in rows]
    marks = listen_marks(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.bool_),
        np.array(offsets, np.int64),
    )
    assert marks.tolist() == [listen_mark(Listen(at_ms, 0, 0, mobile, offset)) for at_ms, mobile, offset in rows]


@given(st.lists(st.text(max_size=20)))
def test_hashes_are_those_of_states(texts: list[str]) -> None:
    assert hash_ids(texts).tolist() == [hash_id(text) for text in texts]
