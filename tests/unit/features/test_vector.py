"""The served numbers, against the oracle and at the borders of the day."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlude.features.schema import STATE_FEATURE_NAMES
from interlude.features.state import Event, Level, Listen, ListenerState, Profile, ProfileDeleted
from interlude.features.vector import vector
from tests.unit.features import oracle
from tests.unit.features.histories import BASE_MS, ZONES, fold_all, listen_histories, long_history, seeds, shuffled

HOUR_MS = 3_600_000
NOON_UTC_MS = BASE_MS - BASE_MS % (24 * HOUR_MS) + 12 * HOUR_MS


def _profile(time_zone: str) -> Profile:
    return Profile(1, Level.FREE, active=True, consent_player_offers=True, consent_sms=True, time_zone=time_zone)


def _named(state: ListenerState) -> dict[str, float]:
    return dict(zip(STATE_FEATURE_NAMES, vector(state), strict=True))


@given(listen_histories, ZONES, seeds)
def test_the_oracle_agrees_with_a_zone(events: list[Event], zone: str, seed: int) -> None:
    disordered = shuffled([*events, *events[:7], _profile(zone)], seed)
    assert _named(fold_all(disordered)) == oracle.features(oracle.kept_listens(events), zone)


@settings(max_examples=15)
@given(seeds, st.integers(90, 150), ZONES)
def test_the_oracle_agrees_on_more_than_is_kept(seed: int, size: int, zone: str) -> None:
    events = long_history(seed, size)
    state = fold_all([*events, *shuffled(events, seed)[:20], _profile(zone)])
    assert _named(state) == oracle.features(oracle.kept_listens(events), zone)


@given(listen_histories)
def test_the_oracle_agrees_without_a_profile(events: list[Event]) -> None:
    assert _named(fold_all(events)) == oracle.features(oracle.kept_listens(events), "")


def test_a_listener_without_listens_has_the_defaults() -> None:
    assert vector(ListenerState()) == (0.0,) * len(STATE_FEATURE_NAMES)
    assert vector(fold_all([_profile("America/Chicago")])) == (0.0,) * len(STATE_FEATURE_NAMES)


@pytest.mark.parametrize(
    ("hour", "part"),
    [
        (0, "night"),
        (4, "night"),
        (5, "morning"),
        (11, "morning"),
        (12, "afternoon"),
        (16, "afternoon"),
        (17, "evening"),
        (21, "evening"),
        (22, "night"),
        (23, "night"),
    ],
)
@pytest.mark.parametrize("within_ms", [0, HOUR_MS - 1])
@pytest.mark.parametrize("offset", [None, 0])
def test_each_part_of_the_day_begins_and_ends_on_its_hour(
    hour: int, part: str, within_ms: int, offset: int | None
) -> None:
    at_ms = NOON_UTC_MS + (hour - 12) * HOUR_MS + within_ms
    shares = _named(fold_all([Listen(at_ms, 1, 1, False, offset)]))
    assert [name for name in ("morning", "afternoon", "evening", "night") if shares[name] == 1.0] == [part]


def test_the_players_offset_counts_before_the_profiles_zone() -> None:
    # 12:00 UTC is 06:00 in Chicago and 21:00 nine hours east.
    chicago = _profile("America/Chicago")
    told = _named(fold_all([Listen(NOON_UTC_MS, 1, 1, False, 540), chicago]))
    untold = _named(fold_all([Listen(NOON_UTC_MS, 1, 1, False, None), chicago]))
    assert (told["evening"], untold["morning"]) == (1.0, 1.0)


def test_a_new_zone_moves_past_listens_that_came_without_local_time() -> None:
    listen = Listen(NOON_UTC_MS, 1, 1, True, None)
    moved = fold_all([_profile("America/Chicago"), listen, ProfileDeleted(), _profile("Asia/Kolkata")])
    assert _named(moved)["evening"] == 1.0
    assert _named(moved)["mobile"] == 1.0


def test_a_zone_with_summer_time_uses_the_offset_of_that_day() -> None:
    # 11:30 UTC: 05:30 in Chicago's winter, 06:30 in its summer; 09:30 UTC: 03:30 and 04:30; 10:30 UTC: 04:30 and 05:30.
    january_ms, july_ms = 1_704_105_000_000, 1_719_829_800_000
    winter = fold_all([_profile("America/Chicago"), Listen(january_ms, 1, 1, False, None)])
    summer = fold_all([_profile("America/Chicago"), Listen(july_ms, 1, 1, False, None)])
    assert _named(winter)["night"] == 1.0
    assert _named(summer)["morning"] == 1.0


@pytest.mark.parametrize(
    "zone", ["", "Nowhere/Land", "../../etc/passwd", "America", "/etc/localtime", "zone\0", "é" * 30]
)
def test_an_unknown_zone_counts_as_utc(zone: str) -> None:
    shares = _named(fold_all([_profile(zone), Listen(NOON_UTC_MS, 1, 1, False, None)]))
    assert shares["afternoon"] == 1.0
