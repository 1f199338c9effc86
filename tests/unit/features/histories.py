"""What may happen to one listener, for Hypothesis: few tracks, few instants, borders likelier than chance would have it."""

import random
from collections.abc import Sequence
from typing import Final

from hypothesis import strategies as st

from interlude.features.fold import fold
from interlude.features.state import AdEvent, AdEventKind, Erasure, Event, Level, Listen, ListenerState, Profile

BASE_MS: Final = 1_700_000_000_000
MINUTE_MS: Final = 60_000
HASHES: Final = st.sampled_from([0, 1, 2, 2**63, 2**64 - 1])
OFFSETS: Final = st.sampled_from([None, -840, -300, -1, 0, 1, 330, 840])
ZONES: Final = st.sampled_from(
    ["", "UTC", "America/Chicago", "Asia/Kolkata", "Pacific/Apia", "Nowhere/Land", "../zone", "America"]
)

_around_borders = st.builds(
    lambda steps, nudge_ms: BASE_MS + steps * 10 * MINUTE_MS + nudge_ms, st.integers(0, 12), st.integers(-1, 1)
)
instants_ms = st.one_of(_around_borders, st.integers(1, 2 * BASE_MS))
tracks = st.sampled_from([0, 1, 256, 2**63 - 1])

listen_events = st.builds(Listen, instants_ms, HASHES, tracks, st.booleans(), OFFSETS)
ad_events = st.builds(AdEvent, instants_ms, HASHES, st.integers(0, 2**64 - 1), st.sampled_from(AdEventKind))
profiles = st.builds(
    Profile,
    updated_at_ms=st.integers(1, 4),
    level=st.sampled_from(Level),
    active=st.booleans(),
    consent_player_offers=st.booleans(),
    consent_sms=st.booleans(),
    gender=st.integers(0, 3),
    birth_year=st.sampled_from([0, 1984, 9999]),
    time_zone=ZONES,
)

erasures = st.builds(Erasure, st.one_of(st.integers(0, 5), instants_ms))


def identity(event: Listen | AdEvent) -> tuple[int, int]:
    """What makes two listens, or two ad events, one and the same."""
    return event[0], event[1]


listen_histories = st.lists(listen_events, max_size=16, unique_by=identity)
ad_event_histories = st.lists(ad_events, max_size=6, unique_by=identity)
histories: st.SearchStrategy[list[Event]] = st.builds(
    lambda *kinds: [event for kind in kinds for event in kind],
    listen_histories,
    ad_event_histories,
    st.lists(profiles, max_size=4),
    st.lists(erasures, max_size=2),
)


def long_history(seed: int, size: int, *, erased: bool = False) -> list[Event]:
    """More than a state keeps, in no order: `size` listens and a third as many ad events, all different; with `erased` an
    erasure of about half of them."""
    chance = random.Random(seed)
    listens = [
        Listen(
            BASE_MS + chance.randrange(size * MINUTE_MS // 2),
            chance.getrandbits(64),
            chance.randrange(12),
            chance.random() < 0.5,
            chance.choice([None, -300, 0, 90]),
        )
        for _ in range(size)
    ]
    impressions = [
        AdEvent(BASE_MS + chance.randrange(10_000), chance.getrandbits(64), 7, AdEventKind.IMPRESSION)
        for _ in range(size // 3)
    ]
    events: list[Event] = [*listens, *impressions]
    if erased:
        events += [Erasure(chance.choice(listens).played_at_ms), Erasure(BASE_MS + chance.randrange(10_000))]
    chance.shuffle(events)
    return events


seeds = st.integers(0, 2**32)


def shuffled(events: Sequence[Event], seed: int) -> list[Event]:
    """The same events in another order."""
    return random.Random(seed).sample(events, len(events))


def fold_all(events: Sequence[Event], state: ListenerState | None = None) -> ListenerState:
    """All of `events`, one by one."""
    folded = state or ListenerState()
    for event in events:
        folded = fold(folded, event).state
    return folded
