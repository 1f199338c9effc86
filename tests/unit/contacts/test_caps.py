"""Which windows a campaign opens on a listener's contacts, and when they are full."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlude.contacts.campaign import Campaign
from interlude.contacts.caps import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    WEEK_MS,
    CapKind,
    CapWindow,
    violated,
    windows,
)
from interlude.features.codec import HotFeatures
from interlude.features.schema import SESSION_PAUSE_MS

_NOW_MS = 1_700_000_000_000
_LISTEN_MS = _NOW_MS - 60_000
_SESSION_MS = _NOW_MS - 3 * HOUR_MS
_LISTENING_HOUR_MS = _NOW_MS - 2 * DAY_MS
_PLAIN = {"campaign_id": "a", "contacts_per_day": 3, "minimum_gap_minutes": 0}


def _listener(newest_listen_ms: int | None = _LISTEN_MS) -> HotFeatures:
    """Whose three newest listens are 0, 100 and 250 seconds before the newest."""
    return HotFeatures(
        level=1,
        flags=0,
        newest_listen_ms=newest_listen_ms,
        vector=b"",
        session_began_ms=_SESSION_MS,
        session_tracks=3,
        listening_hour_began_ms=_LISTENING_HOUR_MS,
        recent_listens=struct.pack("<3I", 0, 100, 250),
    )


def _found(listener: HotFeatures | None = None, **fields: int) -> tuple[CapWindow, ...]:
    """The windows of a campaign with these fields, but for the daily one that every campaign has."""
    found = windows(Campaign.model_validate({**_PLAIN, **fields}), listener, _NOW_MS)
    daily = CapWindow(CapKind.DAY, _NOW_MS - DAY_MS, 3)
    assert daily in found
    return tuple(window for window in found if window != daily)


@pytest.mark.parametrize(
    ("field", "window"),
    [
        ("contacts_per_hour", CapWindow(CapKind.HOUR, _NOW_MS - HOUR_MS, 2)),
        ("contacts_per_week", CapWindow(CapKind.WEEK, _NOW_MS - WEEK_MS, 2)),
        ("contacts_per_session", CapWindow(CapKind.SESSION, _SESSION_MS - 1, 2)),
        ("contacts_per_listening_hour", CapWindow(CapKind.LISTENING_HOUR, _LISTENING_HOUR_MS - 1, 2)),
        ("minimum_gap_minutes", CapWindow(CapKind.GAP_MINUTES, _NOW_MS - 2 * MINUTE_MS, 1)),
        ("minimum_gap_tracks", CapWindow(CapKind.GAP_TRACKS, _LISTEN_MS - 100_000, 1)),
    ],
)
def test_each_field_of_a_campaign_opens_its_window(field: str, window: CapWindow) -> None:
    assert _found(_listener()) == ()
    assert _found(_listener(), **{field: 2}) == (window,)


def test_caps_are_applied_in_their_order() -> None:
    fields = ("hour", "week", "session", "listening_hour")
    campaign = Campaign(
        campaign_id="a",
        minimum_gap_tracks=1,
        **{f"contacts_per_{field}": 1 for field in fields},  # type: ignore[arg-type]
    )
    assert [window.kind for window in windows(campaign, _listener(), _NOW_MS)] == [
        CapKind.HOUR,
        CapKind.DAY,
        CapKind.WEEK,
        CapKind.SESSION,
        CapKind.GAP_MINUTES,
        CapKind.GAP_TRACKS,
        CapKind.LISTENING_HOUR,
    ]


@pytest.mark.parametrize("listener", [None, _listener(None), _listener(_NOW_MS - SESSION_PAUSE_MS - 1)])
def test_a_session_that_begins_now_has_had_no_contact(listener: HotFeatures | None) -> None:
    (session,) = _found(listener, contacts_per_session=1)
    assert session == CapWindow(CapKind.SESSION, _NOW_MS - 1, 1)
    assert violated((session,), (_NOW_MS - 1,)) is None
    assert violated((session,), (_NOW_MS,)) is session


def test_a_session_goes_on_until_the_pause_is_longer_than_allowed() -> None:
    (session,) = _found(_listener(_NOW_MS - SESSION_PAUSE_MS), contacts_per_session=1)
    assert session.since_ms == _SESSION_MS - 1
    assert violated((session,), (_SESSION_MS,)) is session


def test_of_an_unknown_listener_no_tracks_and_no_listening_are_counted() -> None:
    assert _found(None, minimum_gap_tracks=2, contacts_per_listening_hour=1) == ()


@pytest.mark.parametrize("listener", [_listener(), _listener(None)])
def test_with_fewer_tracks_than_the_gap_every_contact_is_too_near(listener: HotFeatures) -> None:
    (gap,) = _found(listener, minimum_gap_tracks=4)
    assert gap == CapWindow(CapKind.GAP_TRACKS, 0, 1)
    assert violated((gap,), (1,)) is gap


def test_a_gap_of_tracks_is_over_with_the_contact_before_the_last_of_them() -> None:
    (gap,) = _found(_listener(), minimum_gap_tracks=3)
    began_ms = _LISTEN_MS - 250_000
    assert violated((gap,), (began_ms,)) is None
    assert violated((gap,), (began_ms + 1,)) is gap


def test_a_contact_exactly_as_old_as_the_window_no_longer_counts() -> None:
    window = CapWindow(CapKind.DAY, 1000, 1)
    assert violated((window,), (1000,)) is None
    assert violated((window,), (1001,)) is window


def test_a_limit_of_zero_is_full_without_any_contact() -> None:
    window = CapWindow(CapKind.HOUR, 1000, 0)
    assert violated((window,), ()) is window


def test_the_first_full_window_is_named() -> None:
    roomy, full = CapWindow(CapKind.HOUR, 0, 3), CapWindow(CapKind.DAY, 0, 2)
    also_full = CapWindow(CapKind.WEEK, 0, 1)
    assert violated((roomy, full, also_full), (5, 6)) is full
    assert violated((roomy,), (5, 6)) is None
    assert violated((), (5, 6)) is None


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(0, 50), st.integers(0, 10))
def test_a_window_is_full_where_one_more_contact_would_be_too_many(times: list[int], since: int, limit: int) -> None:
    window = CapWindow(CapKind.HOUR, since, limit)
    inside = [at_ms for at_ms in times if at_ms > since]
    assert (violated((window,), times) is window) == (len(inside) + 1 > limit)
