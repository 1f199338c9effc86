"""Taking events in: whatever their order, repetition and splitting, the bytes are the same."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlude.features.codec import decode_state, encode_hot, encode_state
from interlude.features.fold import Outcome, advance, fold
from interlude.features.schema import CONTACTS_KEPT, LISTENS_KEPT
from interlude.features.state import (
    NO_OFFSETS,
    AdEvent,
    AdEventKind,
    Erasure,
    Event,
    Level,
    Listen,
    ListenerState,
    Profile,
    ProfileDeleted,
    Stream,
)
from tests.unit.features import oracle
from tests.unit.features.histories import BASE_MS, fold_all, histories, long_history, seeds, shuffled


def _listen(at_ms: int = BASE_MS, event_hash: int = 1, *, track_id: int = 7) -> Listen:
    return Listen(at_ms, event_hash, track_id, False, 0)


def _profile(updated_at_ms: int, level: Level = Level.FREE) -> Profile:
    return Profile(updated_at_ms, level, active=True, consent_player_offers=True, consent_sms=False)


def _bytes(state: ListenerState) -> tuple[bytes, bytes]:
    return encode_state(state), encode_hot(state)


@given(histories, seeds)
def test_any_order_gives_the_same_bytes(events: list[Event], seed: int) -> None:
    assert _bytes(fold_all(shuffled(events, seed))) == _bytes(fold_all(events))


@settings(max_examples=15)
@given(seeds, st.integers(90, 150), st.booleans())
def test_any_order_of_more_than_is_kept_gives_the_same_bytes(seed: int, size: int, erased: bool) -> None:
    events = long_history(seed, size, erased=erased)
    assert _bytes(fold_all(shuffled(events, seed))) == _bytes(fold_all(events))


@given(histories, seeds)
def test_any_repetition_gives_the_same_bytes(events: list[Event], seed: int) -> None:
    repeated = shuffled(events, seed)[: seed % 9]
    assert _bytes(fold_all([*events, *repeated])) == _bytes(fold_all(events))
    assert _bytes(fold_all([*repeated, *events])) == _bytes(fold_all(events))


@settings(max_examples=8)
@given(seeds, st.booleans())
def test_repetition_of_what_is_no_longer_kept_gives_the_same_bytes(seed: int, erased: bool) -> None:
    events = long_history(seed, 130, erased=erased)
    assert _bytes(fold_all([*events, *shuffled(events, seed)])) == _bytes(fold_all(events))


@given(histories, st.lists(st.integers(0, 40), max_size=6).map(sorted))
def test_any_splitting_with_the_state_stored_in_between_gives_the_same_bytes(
    events: list[Event], cuts: list[int]
) -> None:
    state = ListenerState()
    for start, end in zip([0, *cuts], [*cuts, len(events)], strict=True):
        state = decode_state(encode_state(fold_all(events[start:end], state)))
    assert _bytes(state) == _bytes(fold_all(events))


@settings(max_examples=5)
@given(seeds)
def test_storing_the_state_after_every_event_changes_nothing(seed: int) -> None:
    events = long_history(seed, 130)
    state = ListenerState()
    for event in events:
        state = fold(decode_state(encode_state(state)), event).state
    assert state == fold_all(events)


@settings(max_examples=60)
@given(st.one_of(histories, st.builds(long_history, seeds, st.integers(90, 150), erased=st.booleans())))
def test_the_newest_are_kept_oldest_first(events: list[Event]) -> None:
    state = fold_all(events)
    listens, ad_events = oracle.kept_listens(events), oracle.kept_ad_events(events)
    assert _words(state.listens.played_at_ms) == [listen.played_at_ms for listen in listens]
    assert _words(state.listens.event_hash) == [listen.event_hash for listen in listens]
    assert _words(state.listens.track_id) == [listen.track_id for listen in listens]
    assert _words(state.ad_events.at_ms) == [event.at_ms for event in ad_events]
    assert _words(state.ad_events.event_hash) == [event.event_hash for event in ad_events]
    assert _words(state.ad_events.campaign_hash) == [event.campaign_hash for event in ad_events]
    assert list(state.ad_events.kinds) == [event.kind for event in ad_events]
    assert state.erased_at_ms == oracle.erased_at_ms(events)


def _words(column: bytes) -> list[int]:
    return [word for (word,) in struct.iter_unpack("<Q", column)]


@settings(max_examples=30)
@given(histories)
def test_the_newest_profile_is_kept(events: list[Event]) -> None:
    state = fold_all(events)
    assert state.profile in (oracle.newest_profiles(events) or (None,))


def test_long_histories_really_exceed_what_is_kept() -> None:
    state = fold_all(long_history(seed=1, size=160))
    assert len(state.listens.marks) == LISTENS_KEPT
    assert len(state.ad_events.kinds) == CONTACTS_KEPT


@pytest.mark.parametrize("event", [_listen(), AdEvent(BASE_MS, 1, 2, AdEventKind.CLICK), _profile(5)])
def test_an_event_is_taken_once(event: Event) -> None:
    first = fold(ListenerState(), event)
    again = fold(first.state, event)
    assert (first.outcome, again.outcome) == (Outcome.TAKEN, Outcome.DUPLICATE)
    assert again.state is first.state


def test_a_listen_older_than_all_that_are_kept_is_outdated_and_changes_nothing() -> None:
    state = fold_all([_listen(BASE_MS + number) for number in range(LISTENS_KEPT)])
    state_after, outcome = fold(state, _listen(BASE_MS - 1))
    assert outcome is Outcome.OUTDATED
    assert state_after is state


def test_an_older_listen_is_taken_while_there_is_room() -> None:
    state = fold_all([_listen(BASE_MS + number) for number in range(LISTENS_KEPT - 1)])
    assert fold(state, _listen(BASE_MS - 1)).outcome is Outcome.TAKEN


def test_listens_of_one_instant_are_told_apart_by_their_ids() -> None:
    state = fold_all([_listen(event_hash=1), _listen(event_hash=2)])
    assert len(state.listens.marks) == 2


def test_an_older_profile_is_outdated() -> None:
    state = fold_all([_profile(5, Level.SILVER)])
    state_after, outcome = fold(state, _profile(4, Level.GOLD))
    assert outcome is Outcome.OUTDATED
    assert state_after is state


def test_a_deletion_takes_the_profile_and_leaves_the_listens() -> None:
    state = fold_all([_listen(), _profile(5)])
    deleted, outcome = fold(state, ProfileDeleted())
    assert outcome is Outcome.TAKEN
    assert deleted == fold_all([_listen()])
    assert fold(deleted, ProfileDeleted()).outcome is Outcome.DUPLICATE


def test_after_a_deletion_any_profile_is_new() -> None:
    state = fold_all([_profile(5), ProfileDeleted(), _profile(4)])
    assert state.profile == _profile(4)


@pytest.mark.parametrize("place", range(4))
def test_an_erasure_takes_what_was_up_to_it_wherever_it_comes(place: int) -> None:
    erased: list[Event] = [_listen(BASE_MS), AdEvent(BASE_MS, 1, 2, AdEventKind.CLICK), _profile(BASE_MS)]
    younger: list[Event] = [_listen(BASE_MS + 1), AdEvent(BASE_MS + 1, 1, 2, AdEventKind.CLICK), _profile(BASE_MS + 1)]
    erasure = Erasure(BASE_MS)
    assert fold_all([*erased[:place], erasure, *erased[place:]]) == ListenerState(erased_at_ms=BASE_MS)
    assert fold_all([*erased, *younger, erasure]) == fold_all([*younger, erasure])


@pytest.mark.parametrize("event", [_listen(), AdEvent(BASE_MS, 1, 2, AdEventKind.CLICK), _profile(BASE_MS)])
def test_what_was_erased_is_not_taken_in_again(event: Event) -> None:
    erased = fold_all([event, Erasure(BASE_MS)])
    assert fold(erased, event) == (erased, Outcome.OUTDATED)


def test_the_newest_erasure_counts() -> None:
    erased = fold_all([Erasure(5)])
    assert fold(erased, Erasure(5)) == (erased, Outcome.DUPLICATE)
    assert fold(erased, Erasure(4)) == (erased, Outcome.OUTDATED)
    assert fold(erased, Erasure(6)) == (ListenerState(erased_at_ms=6), Outcome.TAKEN)


@settings(max_examples=30)
@given(histories)
def test_folding_leaves_the_offsets_alone(events: list[Event]) -> None:
    assert fold_all(events).offsets == NO_OFFSETS


def test_advancing_touches_one_stream_and_nothing_else() -> None:
    state = fold_all([_listen(), _profile(5)])
    advanced = advance(state, Stream.AD_EVENTS, 41)
    assert advanced.offsets == (-1, 41, -1, -1)
    assert advanced._replace(offsets=NO_OFFSETS) == state
