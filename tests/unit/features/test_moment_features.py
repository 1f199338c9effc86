"""What only the moment knows: every definition against the oracle, in any order, and at its borders."""

import struct
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlude.features.codec import HotFeatures, decode_hot, encode_hot
from interlude.features.moment_features import DEFINITIONS, with_moment
from interlude.features.schema import FEATURE_NAMES, MOMENT_FEATURES, STATE_FEATURES
from interlude.features.state import AdEvent, AdEventKind, Event, Level, Listen, ListenerState, Profile
from tests.unit.features import oracle
from tests.unit.features.histories import BASE_MS, MINUTE_MS, fold_all, histories, long_history, seeds, shuffled

HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
CAMPAIGN = 7
PROFILE = Profile(1, Level.SILVER, active=True, consent_player_offers=True, consent_sms=True, time_zone="Asia/Kolkata")


def at(events: list[Event], now_ms: int, campaign_hash: int = CAMPAIGN) -> dict[str, float]:
    """Every feature of a listener with these events, by name."""
    asked = with_moment(decode_hot(encode_hot(fold_all(events))), now_ms, campaign_hash)
    return dict(zip(FEATURE_NAMES, memoryview(asked.vector).cast("f"), strict=True))


def listens(*times_ms: int, track_id: int = 3) -> list[Event]:
    """Plays of one track."""
    return [Listen(at_ms, place, track_id, False, None) for place, at_ms in enumerate(times_ms)]


def ad(kind: AdEventKind, at_ms: int, campaign_hash: int = CAMPAIGN) -> AdEvent:
    """An ad event."""
    return AdEvent(at_ms, at_ms + kind, campaign_hash, kind)


def test_every_moment_feature_has_one_definition() -> None:
    assert tuple(DEFINITIONS) == tuple(feature.name for feature in MOMENT_FEATURES)


def test_the_stored_vector_stays_as_it_is_and_comes_first() -> None:
    stored = decode_hot(encode_hot(fold_all(long_history(1, 50))))
    assert with_moment(stored, BASE_MS, CAMPAIGN).vector[: 4 * len(STATE_FEATURES)] == stored.vector


def test_of_a_stranger_every_feature_has_its_default() -> None:
    asked = with_moment(decode_hot(encode_hot(ListenerState())), BASE_MS, CAMPAIGN)
    defaults = [feature.default for feature in (*STATE_FEATURES, *MOMENT_FEATURES)]
    assert list(memoryview(asked.vector).cast("f")) == defaults


@settings(max_examples=150)
@given(
    st.one_of(histories, st.builds(long_history, seeds, st.integers(90, 130), erased=st.booleans())),
    seeds,
    st.one_of(st.integers(0, 90_000), st.integers(0, 3 * DAY_MS)),
)
def test_the_oracle_agrees_in_any_order(events: list[Event], seed: int, later_ms: int) -> None:
    state = fold_all(events)
    kept, kept_ads = oracle.kept_listens(events), oracle.kept_ad_events(events)
    times = [listen.played_at_ms for listen in kept]
    now_ms = max([BASE_MS, *times, *(event.at_ms for event in kept_ads)]) + later_ms
    values = at(shuffled(events, seed), now_ms)
    session = oracle.session(kept) if times and now_ms - times[-1] <= 30 * MINUTE_MS else []
    assert values["session_position"] == len(session) + 1
    assert values["session_minutes"] == pytest.approx((now_ms - times[-len(session)]) / MINUTE_MS if session else 0.0)
    assert values["recency"] == pytest.approx(min(720.0, (now_ms - times[-1]) / HOUR_MS) if times else 720.0)
    assert values["skip_streak"] == oracle.skips(times, now_ms)
    zone = state.profile.time_zone if state.profile else ""
    assert values["listens_today"] == oracle.listens_on_day_of(now_ms, kept, zone)
    closing = {event_hash for _, event_hash in oracle.closing_listens(kept)}
    assert values["interest"] == bool(session and kept[-1].event_hash in closing)
    assert values["level"] == (state.profile.level if state.profile else 0)
    for name, kind in (
        ("impressions", AdEventKind.IMPRESSION),
        ("clicks", AdEventKind.CLICK),
        ("dismissals", AdEventKind.DISMISS),
    ):
        assert values[name] == pytest.approx(oracle.decayed(kept_ads, kind, now_ms), rel=1e-5, abs=1e-30)


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from(AdEventKind), st.integers(1, 3)), max_size=20))
def test_one_offer_is_counted_by_itself(moments: list[tuple[int, AdEventKind, int]]) -> None:
    events = [ad(kind, BASE_MS + hours * HOUR_MS + place, offer) for place, (hours, kind, offer) in enumerate(moments)]
    now_ms = BASE_MS + 61 * HOUR_MS
    for offer in (1, 2, 3):
        values = at(list(events), now_ms, offer)
        expected = oracle.decayed(events, AdEventKind.IMPRESSION, now_ms, offer)
        assert values["offer_impressions"] == pytest.approx(expected, rel=1e-5)
        assert values["offer_clicks"] == pytest.approx(
            oracle.decayed(events, AdEventKind.CLICK, now_ms, offer), rel=1e-5
        )
        expected = oracle.decayed(events, AdEventKind.DISMISS, now_ms, offer)
        assert values["offer_dismissals"] == pytest.approx(expected, rel=1e-5)


def test_the_four_offers_with_the_newest_events_are_counted_one_by_one() -> None:
    events: list[Event] = [ad(AdEventKind.IMPRESSION, BASE_MS + offer, offer) for offer in range(6)]
    counted = [at(events, BASE_MS + 5, offer)["offer_impressions"] > 0 for offer in range(7)]
    assert counted == [False, False, True, True, True, True, False]
    assert at(events, BASE_MS + 5)["impressions"] == pytest.approx(6.0)


def test_an_event_counts_half_after_a_week_and_whole_before_it_happened() -> None:
    events: list[Event] = [ad(AdEventKind.CLICK, BASE_MS)]
    assert at(events, BASE_MS + 7 * DAY_MS)["clicks"] == pytest.approx(0.5)
    assert at(events, BASE_MS - HOUR_MS)["clicks"] == 1.0


@pytest.mark.parametrize(("gap_ms", "skipped"), [(29_999, 2.0), (30_000, 1.0)])
def test_a_track_is_skipped_when_the_next_begins_within_half_a_minute(gap_ms: int, skipped: float) -> None:
    played = listens(BASE_MS, BASE_MS + gap_ms)
    assert at(played, BASE_MS + gap_ms + 1)["skip_streak"] == skipped
    assert at(played, BASE_MS + gap_ms + 30_000)["skip_streak"] == 0.0


def test_the_session_ends_half_an_hour_after_its_newest_track_began() -> None:
    played = listens(BASE_MS, BASE_MS + 10 * MINUTE_MS)
    within, after = (at(played, BASE_MS + 40 * MINUTE_MS + late_ms) for late_ms in (0, 1))
    assert (within["session_position"], within["session_minutes"]) == (3.0, 40.0)
    assert (after["session_position"], after["session_minutes"]) == (1.0, 0.0)


@pytest.mark.parametrize("zone", ["", "Asia/Kolkata", "America/Chicago", "Nowhere/Land"])
def test_today_begins_at_local_midnight(zone: str) -> None:
    local = ZoneInfo("UTC" if zone in ("", "Nowhere/Land") else zone)
    offset = datetime.fromtimestamp(BASE_MS / 1000, local).utcoffset() or timedelta()
    offset_ms = round(offset.total_seconds()) * 1000
    midnight_ms = (BASE_MS + offset_ms) // DAY_MS * DAY_MS - offset_ms
    profile = Profile(1, Level.FREE, True, True, True, time_zone=zone)
    events = [*listens(midnight_ms - 1, midnight_ms, midnight_ms + 1), profile]
    assert at(events, midnight_ms + DAY_MS - 1)["listens_today"] == 2.0
    assert at(events, midnight_ms + DAY_MS)["listens_today"] == 0.0


def test_a_model_trained_at_a_moment_is_asked_with_the_same_numbers() -> None:
    hot = HotFeatures(Level.GOLD, 15, BASE_MS, bytes(24), BASE_MS, 1, None, 0, bytes(4), skips=0)
    (level,) = struct.unpack_from("<f", with_moment(hot, BASE_MS, 0).vector, 4 * FEATURE_NAMES.index("level"))
    assert level == 3.0
