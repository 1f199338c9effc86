"""Listeners who are known already: as much is kept of each as a state can hold, without a single event being replayed.

Their histories are a few dozen templates, worked out the same way in any process from the instant at which they end."""

import random
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import redis

from bench.freshness.schedule import TRACKS
from interlude.features.codec import encode_hot, encode_state, hot_key, state_key
from interlude.features.fold import advance, fold
from interlude.features.schema import LISTENS_KEPT
from interlude.features.state import AdEvent, AdEventKind, Event, Level, Listen, ListenerState, Profile, Stream

TEMPLATES: Final = 64
_MINUTE_MS: Final = 60_000
_AD_EVENTS: Final = 6
_PIPELINE: Final = 500


def known_listener(customer_id: int, ends_ms: int) -> ListenerState:
    """A listener with a profile, ad events and `LISTENS_KEPT` listens up to `ends_ms` (epoch ms)."""
    return _template(customer_id % TEMPLATES, ends_ms)


def write_known_listeners(client: "redis.Redis", customer_ids: Iterable[int], ends_ms: int) -> None:
    """State and features of each, as if an enricher had come by all of it; what was known of them is overwritten."""
    pipeline = client.pipeline(transaction=False)
    for place, customer_id in enumerate(customer_ids):
        state, hot = _values(customer_id % TEMPLATES, ends_ms)
        pipeline.set(state_key(customer_id), state)
        pipeline.set(hot_key(customer_id), hot)
        if place % _PIPELINE == _PIPELINE - 1:
            pipeline.execute()
    pipeline.execute()


@lru_cache(maxsize=4 * TEMPLATES)
def _values(template: int, ends_ms: int) -> tuple[bytes, bytes]:
    state = _template(template, ends_ms)
    return encode_state(state), encode_hot(state)


@lru_cache(maxsize=4 * TEMPLATES)
def _template(template: int, ends_ms: int) -> ListenerState:
    state = ListenerState()
    for event in _history(random.Random(template), ends_ms):
        state = fold(state, event).state
    # No store takes a state for one that it has written unless it includes a record of the log: the profile's.
    return advance(state, Stream.CUSTOMERS, 0)


def _history(chance: random.Random, ends_ms: int) -> list[Event]:
    profile = Profile(1, Level.FREE, active=True, consent_player_offers=True, consent_sms=False, birth_year=1984)
    at_ms, listens = ends_ms, list[Event]()
    for _ in range(LISTENS_KEPT):
        listens.append(Listen(at_ms, chance.getrandbits(64), chance.randrange(TRACKS), chance.random() < 0.6, -300))
        pause_minutes = 400 if chance.random() < 0.08 else 0
        at_ms -= int((pause_minutes + chance.uniform(2, 5)) * _MINUTE_MS)
    kinds = chance.choices([AdEventKind.IMPRESSION, AdEventKind.CLICK, AdEventKind.DISMISS], [6, 1, 1], k=_AD_EVENTS)
    answers: list[Event] = [
        AdEvent(ends_ms - place * 900 * _MINUTE_MS, chance.getrandbits(64), 7, kind) for place, kind in enumerate(kinds)
    ]
    return [profile, *reversed(listens), *answers]
