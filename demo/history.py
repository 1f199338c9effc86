"""What happened before the demo begins: simulated weeks, or the real logs."""

from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from demo.errors import DemoFailed
from demo.real_logs import BadLine, LogsMissing, read_logs
from demo.replay import HistoricEvent, of_ad_event, of_customer, of_listen
from demo.simulator import DAY_MS, World, campaign_of, history_of, profile
from interlude.events.reading import EVENT_BYTES_LIMIT
from interlude.events.topics import Topic
from interlude.v1 import events_pb2 as pb


@dataclass(frozen=True, slots=True)
class History:
    """Profiles by customer id, and everything else to be replayed, ordered by time; `spoilt` of it is bad on purpose."""

    customers: dict[int, pb.Customer]
    events: list[HistoricEvent]
    bad_lines: list[BadLine]
    spoilt: int = 0

    @property
    def customer_ids_end(self) -> int:
        """One more than the largest customer id."""
        return max(self.customers, default=-1) + 1


def simulated_history(world: World) -> History:
    """The past of a simulated world, with a few events in it that no service can take."""
    customers: dict[int, pb.Customer] = {}
    events: list[HistoricEvent] = []
    for person in world.listeners():
        customer = customers[person.customer_id] = profile(world, person)
        events += map(of_listen, history_of(world, person))
        events += map(of_ad_event, campaign_of(world, person, customer))
    events += _spoilt(events[0])
    events.sort(key=lambda event: event.at_ms)
    return History(customers, events, [], spoilt=len(_SPOILT_EVENT_IDS))


def real_history(directory: Path, now_ms: int) -> History:
    """The past in the logs of `directory`. Raises `DemoFailed`."""
    try:
        logs = read_logs(directory, now_ms)
    except LogsMissing as error:
        raise DemoFailed(str(error)) from error
    events = [*chain(map(of_listen, logs.listens), map(of_ad_event, logs.clicks))]
    events.sort(key=lambda event: event.at_ms)
    return History({customer.customer_id: customer for customer in logs.customers}, events, logs.bad_lines)


_SPOILT_EVENT_IDS: Final = ("spoilt/track", "spoilt/time", "spoilt/device", "spoilt/size", "spoilt/campaign")


def _spoilt(example: HistoricEvent) -> list[HistoricEvent]:
    """One event for each of a few things that go wrong upstream; each must end as a dead letter and harm nothing else."""
    listens = [pb.Listen() for _ in _SPOILT_EVENT_IDS[:4]]
    for listen, event_id in zip(listens, _SPOILT_EVENT_IDS, strict=False):
        listen.CopyFrom(_as_listen(example))
        listen.event_id = event_id
    negative, ahead, no_device, oversized = listens
    negative.track_id = -1
    ahead.played_at_ms += 400 * DAY_MS
    no_device.device = pb.DEVICE_UNSPECIFIED
    oversized.postal_code = "9" * (EVENT_BYTES_LIMIT + 1)
    click = pb.AdEvent(event_id=_SPOILT_EVENT_IDS[4], customer_id=example.customer_id, kind=pb.AD_EVENT_KIND_CLICK)
    click.at_ms = example.at_ms
    spoilt = [*map(of_listen, listens), of_ad_event(click)]
    return [event._replace(at_ms=example.at_ms) for event in spoilt]


def _as_listen(event: HistoricEvent) -> pb.Listen:
    if event.topic is not Topic.LISTENS or not isinstance(event.message, pb.Listen):
        raise ValueError("the first event of a history is a listen")
    return event.message


def profile_events(history: History) -> list[HistoricEvent]:
    """The profiles, as events for the topic of customers."""
    return [of_customer(customer) for customer in history.customers.values()]
