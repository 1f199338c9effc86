"""The past that is replayed: ordered, and with exactly as many bad events as it says."""

import pytest

from demo.history import History, profile_events, simulated_history
from demo.replay import HistoricEvent
from demo.simulator import World
from interlude.events.conversion import read_event
from interlude.events.errors import InvalidEvent
from interlude.events.topics import Topic
from interlude.events.writing import to_record
from interlude.features.state import Stream

UNTIL_MS = 1_790_000_000_000
STREAMS = {Topic.LISTENS: Stream.LISTENS, Topic.AD_EVENTS: Stream.AD_EVENTS, Topic.CUSTOMERS: Stream.CUSTOMERS}


@pytest.fixture(scope="module")
def history() -> History:
    return simulated_history(World(seed=2, customers=60, until_ms=UNTIL_MS))


def is_taken(event: HistoricEvent) -> bool:
    record = to_record(
        event.message, customer_id=event.customer_id, event_id=event.event_id, at_ms=event.at_ms, source="test"
    )
    try:
        read_event(STREAMS[event.topic], record.key, record.value, [*record.headers], UNTIL_MS)
    except InvalidEvent:
        return False
    return True


def test_it_runs_in_the_order_of_time(history: History) -> None:
    times = [event.at_ms for event in history.events]
    assert times == sorted(times)


def test_the_spoilt_events_and_no_others_are_refused(history: History) -> None:
    refused = {event.event_id for event in history.events if not is_taken(event)}
    assert len(refused) == history.spoilt > 0
    assert all(event_id.startswith("spoilt/") for event_id in refused)


def test_every_customer_has_a_profile_that_is_taken(history: History) -> None:
    assert history.customer_ids_end == 60
    events = profile_events(history)
    assert len(events) == 60
    assert all(map(is_taken, events))
