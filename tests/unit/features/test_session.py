"""Where in a session a listener is at the moment of a decision: the exact borders."""

import pytest

from interlude.features.codec import HotFeatures, decode_hot, encode_hot
from interlude.features.schema import RECENT_LISTENS, SESSION_PAUSE_MS, STATE_FEATURES
from interlude.features.session import in_session, nth_newest_listen_ms, session_tracks
from interlude.features.state import Level, Listen
from tests.unit.features.histories import BASE_MS, fold_all

UNHEARD = HotFeatures(Level.FREE, 0, None, bytes(4 * len(STATE_FEATURES)))


def _listener(*times_ms: int) -> HotFeatures:
    listens = [Listen(at_ms, number, number, False, 0) for number, at_ms in enumerate(times_ms)]
    return decode_hot(encode_hot(fold_all(listens)))


@pytest.mark.parametrize(
    ("after_ms", "continues"),
    [(-1, True), (0, True), (SESSION_PAUSE_MS, True), (SESSION_PAUSE_MS + 1, False)],
)
def test_a_session_goes_on_for_exactly_half_an_hour(after_ms: int, continues: bool) -> None:
    listener = _listener(BASE_MS - 1000, BASE_MS)
    assert in_session(listener, BASE_MS + after_ms) is continues
    assert session_tracks(listener, BASE_MS + after_ms) == (2 if continues else 0)


@pytest.mark.parametrize("listener", [None, UNHEARD])
def test_who_never_listened_is_in_no_session(listener: HotFeatures | None) -> None:
    assert not in_session(listener, BASE_MS)
    assert session_tracks(listener, BASE_MS) == 0


def test_listens_are_counted_from_the_newest() -> None:
    listener = _listener(BASE_MS - 5000, BASE_MS - 1, BASE_MS)
    found = [nth_newest_listen_ms(listener, count) for count in range(1, 5)]
    assert found == [BASE_MS, BASE_MS - 1000, BASE_MS - 5000, None]


def test_no_more_than_the_recent_listens_are_known() -> None:
    listener = _listener(*range(BASE_MS - RECENT_LISTENS * 1000, BASE_MS + 1, 1000))
    assert nth_newest_listen_ms(listener, RECENT_LISTENS) == BASE_MS - (RECENT_LISTENS - 1) * 1000
    assert nth_newest_listen_ms(listener, RECENT_LISTENS + 1) is None


def test_who_never_listened_has_no_newest_listen() -> None:
    assert nth_newest_listen_ms(UNHEARD, 1) is None
