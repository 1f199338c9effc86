"""The simulator is a function of its world, and its events are what the services take."""

import random
from collections import Counter

from demo.listeners import Listener, listener
from demo.simulator import CLICK_WITHIN_MS, World, campaign_of, history_of, next_listen, outcome_of, phone_of, profile
from interlude.events.conversion import to_listen
from interlude.events.validation import check_ad_event, check_customer, check_listen
from interlude.features.fold import fold
from interlude.features.interest import interests_found
from interlude.features.state import ListenerState
from interlude.features.vector import vector
from interlude.v1 import events_pb2 as pb

UNTIL_MS = 1_790_000_000_000
WORLD = World(seed=5, customers=150, until_ms=UNTIL_MS)


def history(world: World) -> list[pb.Listen]:
    return [listen for person in world.listeners() for listen in history_of(world, person)]


def campaign(world: World) -> list[pb.AdEvent]:
    return [event for person in world.listeners() for event in campaign_of(world, person, profile(world, person))]


def test_the_same_world_gives_the_same_events() -> None:
    assert history(WORLD) == history(WORLD)
    assert campaign(WORLD) == campaign(WORLD)


def test_another_seed_gives_other_events() -> None:
    other = World(seed=6, customers=WORLD.customers, until_ms=UNTIL_MS)
    assert history(WORLD) != history(other)


def test_a_customer_does_not_depend_on_how_many_there_are() -> None:
    small = World(seed=WORLD.seed, customers=10, until_ms=UNTIL_MS)
    listens = history(small)
    assert listens == history(WORLD)[: len(listens)]


def test_every_event_would_be_taken_at_the_end_of_history() -> None:
    for person in WORLD.listeners():
        check_customer(profile(WORLD, person), UNTIL_MS)
    for listen in history(WORLD):
        check_listen(listen, UNTIL_MS)
        assert listen.played_at_ms < UNTIL_MS
    for event in campaign(WORLD):
        check_ad_event(event, UNTIL_MS)
        assert event.at_ms < UNTIL_MS


def test_event_ids_are_unique() -> None:
    ids = [listen.event_id for listen in history(WORLD)] + [event.event_id for event in campaign(WORLD)]
    assert len(set(ids)) == len(ids)


def test_a_history_runs_in_order_and_has_about_the_size_asked_for() -> None:
    for person in WORLD.listeners():
        times = [listen.played_at_ms for listen in history_of(WORLD, person)]
        assert times == sorted(times)
    assert 0.9 < len(history(WORLD)) / (WORLD.customers * WORLD.listens_per_customer) < 1.1


def test_shares_of_listens_come_near_the_habits_behind_them() -> None:
    world = World(seed=5, customers=1, until_ms=UNTIL_MS, listens_per_customer=400)
    for customer_id in range(20):
        person = listener(world.seed, customer_id)
        state = ListenerState(profile=None)
        for listen in history_of(world, person):
            listen.utc_offset_minutes = listen.utc_offset_minutes or -6 * 60
            state = fold(state, to_listen(listen)).state
        morning, _, evening, _, mobile, _ = vector(state)
        assert abs(morning - person.habits.morning) < 0.25
        assert abs(evening - person.habits.evening) < 0.25
        assert abs(mobile - person.habits.mobile) < 0.25


def test_some_tracks_are_played_often_enough_to_be_an_interest() -> None:
    interests = 0
    for person in WORLD.listeners():
        state = ListenerState()
        for listen in map(to_listen, history_of(WORLD, person)):
            state = fold(state, listen).state
            interests += len(interests_found(state.listens, listen))
    assert interests > WORLD.customers / 10


def test_every_click_follows_its_impression_within_minutes() -> None:
    events = campaign(WORLD)
    shown_at_ms = {event.decision_id: event.at_ms for event in events if event.kind == pb.AD_EVENT_KIND_IMPRESSION}
    outcomes = [event for event in events if event.kind != pb.AD_EVENT_KIND_IMPRESSION]
    assert {event.kind for event in outcomes} == {pb.AD_EVENT_KIND_CLICK, pb.AD_EVENT_KIND_DISMISS}
    for event in outcomes:
        assert 0 < event.at_ms - shown_at_ms[event.decision_id] <= CLICK_WITHIN_MS


def test_the_campaign_reaches_nobody_whom_it_must_not_reach() -> None:
    for person in WORLD.listeners():
        customer = profile(WORLD, person)
        for change in ({"level": pb.LEVEL_GOLD}, {"active": False}, {"consent_player_offers": False}):
            barred = pb.Customer()
            barred.CopyFrom(customer)
            for field, value in change.items():
                setattr(barred, field, value)
            assert campaign_of(WORLD, person, barred) == []


def test_phones_are_fictional_and_one_per_customer() -> None:
    phones = {phone_of(customer_id) for customer_id in range(2000)}
    assert len(phones) == 2000
    assert all(phone.startswith("+1555") for phone in phones)


def test_outcomes_come_with_the_click_probability() -> None:
    chance = random.Random(3)
    keen = max(WORLD.listeners(), key=lambda person: person.click_probability)
    averse = min(WORLD.listeners(), key=lambda person: person.click_probability)
    for person in (keen, averse):
        outcomes = Counter(outcome_of(chance, person) for _ in range(2000))
        assert abs(outcomes[pb.AD_EVENT_KIND_CLICK] / 2000 - person.click_probability) < 0.05


def test_a_live_listen_is_one_that_the_enricher_takes() -> None:
    person: Listener = listener(WORLD.seed, 3)
    listen = next_listen(random.Random(1), person, "live/1", UNTIL_MS)
    check_listen(listen, UNTIL_MS)
    assert listen.HasField("utc_offset_minutes")
    assert listen == next_listen(random.Random(1), person, "live/1", UNTIL_MS)
