"""All that the enricher serves, against the oracle: late, doubled and disordered logs, in batches that a crash repeats.

Ordinary runs try a hundred cases of each; `make test-exhaustive` ten thousand.
"""

import random
import struct
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from interlude.features.codec import HotFeatures, ProfileFlag, decode_hot, encode_hot
from interlude.features.interest import Interest
from interlude.features.state import AdEvent, AdEventKind, Event, Level, Listen, ListenerState, Profile, Stream
from services.enricher.folding import Arrival, fold_arrivals
from services.enricher.outbox import to_event
from tests.unit.features import oracle
from tests.unit.features.disorder import late_and_twice, long_histories, seeds, short_histories
from tests.unit.features.histories import ad_event_histories, erasures, profiles

CUSTOMER = 42
HALF_HOUR_MS = 1_800_000
Id = tuple[int, int]


def _stream_of(event: Event) -> Stream:
    if isinstance(event, Listen):
        return Stream.LISTENS
    return Stream.AD_EVENTS if isinstance(event, AdEvent) else Stream.CUSTOMERS


def _enrich(log: Sequence[Event], seed: int) -> tuple[ListenerState, list[Interest]]:
    """What an enricher makes of `log`: batches of any size, some read again from before after a crash."""
    arrivals = [Arrival(_stream_of(event), offset, 0, event) for offset, event in enumerate(log)]
    chance = random.Random(seed)
    state, interests, place = ListenerState(), list[Interest](), 0
    while place < len(arrivals):
        end = place + chance.randint(1, 9)
        folded = fold_arrivals(state, arrivals[place:end])
        state, interests = folded.state, interests + folded.interests
        place = chance.randint(max(0, end - 12), end) if chance.random() < 0.2 else end
    return state, interests


def _is_served(hot: HotFeatures, profile: Profile | None, listens: list[Listen]) -> bool:
    """Whether `hot` says of profile and vector what the oracle does."""
    zone = profile.time_zone if profile else ""
    vector = struct.pack(f"<{len(hot.vector) // 4}f", *list(oracle.features(listens, zone).values()))
    flags = ProfileFlag(0)
    if profile is not None:
        flags = ProfileFlag.KNOWN
        flags |= ProfileFlag.ACTIVE if profile.active else flags
        flags |= ProfileFlag.CONSENT_PLAYER_OFFERS if profile.consent_player_offers else flags
        flags |= ProfileFlag.CONSENT_SMS if profile.consent_sms else flags
    level = profile.level if profile else Level.UNKNOWN
    return (hot.level, hot.flags, hot.vector) == (level, flags, vector)


def _check_moment(hot: HotFeatures, listens: list[Listen], ads: list[AdEvent]) -> None:
    times = [listen.played_at_ms for listen in listens]
    members = oracle.session(listens)
    assert hot.newest_listen_ms == max(times, default=None)
    assert (hot.session_began_ms, hot.session_tracks) == (members[0].played_at_ms if members else 0, len(members))
    assert hot.listening_hour_began_ms == oracle.listening_hour_began_ms(times)
    newest = listens[-1] if listens else None
    closes = newest is not None and (newest.track_id, newest.event_hash) in oracle.interests(listens)
    assert hot.streak_track_id == (newest.track_id if newest is not None and closes else None)
    assert hot.last_dismiss_ms == oracle.last_ms(ads, AdEventKind.DISMISS)
    assert hot.last_conversion_ms == oracle.last_ms(ads, AdEventKind.CONVERSION)
    assert list(struct.unpack(f"<{len(hot.recent_listens) // 4}I", hot.recent_listens)) == oracle.ages_seconds(times)


@given(
    st.one_of(short_histories, short_histories, short_histories, long_histories),
    ad_event_histories,
    st.lists(profiles, max_size=3),
    st.lists(erasures, max_size=1),
    seeds,
)
def test_features_are_those_of_the_oracle(
    listens: list[Listen], ads: list[AdEvent], known: list[Profile], erased: list[Event], seed: int
) -> None:
    events: list[Event] = [*listens, *ads, *known, *erased]
    random.Random(seed).shuffle(events)
    state, _ = _enrich(late_and_twice(events, seed), seed)
    hot = decode_hot(encode_hot(state))
    kept, kept_ads = oracle.kept_listens(events), oracle.kept_ad_events(events)
    _check_moment(hot, kept, kept_ads)
    # Of several profiles of one instant one is kept.
    candidates: list[Profile | None] = [*oracle.newest_profiles(events)]
    assert any(_is_served(hot, profile, kept) for profile in candidates or [None])


@given(short_histories, seeds, seeds)
def test_late_doubled_and_disordered_listens_end_in_the_interests_of_the_oracle(
    listens: list[Listen], disorder: int, batches: int
) -> None:
    expected = oracle.interests(listens)
    shuffled = random.Random(disorder).sample(listens, len(listens))
    for log in (late_and_twice(listens, disorder), late_and_twice(shuffled, disorder)):
        _, found = _enrich(log, batches)
        assert len({to_event(CUSTOMER, interest).interest_id for interest in found}) == len(found)
        assert {_id(interest) for interest in found} == expected.keys()
        for interest in found:
            # A window is told as it is known when its third listen arrives: later ones may make it longer.
            window = expected[_id(interest)]
            assert interest.window_end_ms == window[-1].played_at_ms
            assert interest.window_start_ms in [listen.played_at_ms for listen in window]
            assert 3 <= interest.listens <= len(window)


@given(st.one_of(short_histories, long_histories), seeds)
def test_listens_in_order_give_the_interests_of_the_oracle_with_their_whole_windows(
    listens: list[Listen], batches: int
) -> None:
    doubled = [listen for listen in listens for _ in range(1 + listen.event_hash % 2)]
    _, found = _enrich(doubled, batches)
    windows = oracle.interests(listens)
    assert [(_id(interest), interest.window_start_ms, interest.listens) for interest in found] == [
        (identity, window[0].played_at_ms, len(window)) for identity, window in windows.items()
    ]


@given(long_histories, seeds, seeds)
def test_no_interest_is_made_up_when_listens_come_too_late_to_be_kept(
    listens: list[Listen], disorder: int, batches: int
) -> None:
    _, found = _enrich(late_and_twice(listens, disorder), batches)
    expected = oracle.interests(listens)
    for interest in found:
        assert interest.window_end_ms - interest.window_start_ms <= HALF_HOUR_MS
        assert 3 <= interest.listens <= len(expected[_id(interest)])


def _id(interest: Interest) -> Id:
    return interest.track_id, interest.closing_hash
