"""What simulated listeners do: profiles, weeks of listens, a campaign's impressions and clicks, and what comes next.

Pure: the same `World` gives the same events, byte for byte, and a customer's events do not depend on how many others there
are. The population and its ground truth are in `listeners`.

- Listening comes in sessions of one to three tracks, placed on days of the last `days` before `until_ms` by the listener's
  day-part habit in local time; one session in twenty plays a favourite three or four times within half an hour (an interest).
- One listen in ten does not carry its local time, as an old player would send it: then the profile's zone counts.
- The campaign has run for the last third of that time with a policy that ignores the listener: everybody eligible is shown
  the offer at one to three random moments. Who clicks does so within five minutes; some of the others dismiss it.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from demo.listeners import PHONE_PREFIX, Listener, listener, popular_track
from interlude.features.state import DayPart
from interlude.v1 import events_pb2 as pb

CAMPAIGN_ID: Final = "premium-day"
MINUTE_MS: Final = 60_000
DAY_MS: Final = 24 * 60 * MINUTE_MS
CLICK_WITHIN_MS: Final = 5 * MINUTE_MS

_PART_HOURS: Final[dict[DayPart, tuple[int, int]]] = {
    DayPart.MORNING: (5, 12),
    DayPart.AFTERNOON: (12, 17),
    DayPart.EVENING: (17, 22),
    DayPart.NIGHT: (22, 29),
}
"""First local hour and the hour after the last; the night runs into the next day."""

_LONGEST_SESSION_MINUTES: Final = 20
_BINGE_SHARE: Final = 0.05
_NO_LOCAL_TIME_SHARE: Final = 0.1
_DISMISS_SHARE: Final = 0.2
_TRACKS_OF_OTHERS: Final = 1_000_000
"""Tracks that one listener alone discovers get ids from here on."""

_GIVEN: Final = ("Ada", "Ben", "Cleo", "Dora", "Emil", "Fay", "Gus", "Hana", "Ines", "Jon", "Kim", "Leo", "Mia", "Nils")
_FAMILY: Final = ("Abbot", "Brook", "Carver", "Dale", "Easton", "Ford", "Grove", "Hale", "Irwin", "Jarvis", "Kern")
_STREETS: Final = ("Cider Point", "Hickory Villa", "Gate Bend", "Pony Heights", "Autumn Vale", "Fox Hill")


class _Play(NamedTuple):
    at_ms: int
    utc_offset_minutes: int
    track_id: int
    device: pb.Device


@dataclass(frozen=True, slots=True)
class World:
    """One simulation: its seed, how many customers (ids 0 .. customers - 1), and the time its history leads up to."""

    seed: int
    customers: int
    until_ms: int
    days: int = 28
    listens_per_customer: int = 30

    def listeners(self) -> Iterator[Listener]:
        """Everybody, by id."""
        return (listener(self.seed, customer_id) for customer_id in range(self.customers))


def profile(world: World, person: Listener) -> pb.Customer:
    """The customer record of `person`, as the CRM would have it before the history begins."""
    chance = _chance("profile", world, person)
    levels = (pb.LEVEL_FREE, pb.LEVEL_SILVER, pb.LEVEL_GOLD)
    return pb.Customer(
        customer_id=person.customer_id,
        updated_at_ms=world.until_ms - (world.days + 2) * DAY_MS,
        level=chance.choices(levels, (0.60, 0.28, 0.12))[0],
        active=chance.random() < 0.96,
        consent_player_offers=chance.random() < 0.88,
        consent_sms=chance.random() < 0.60,
        phone=phone_of(person.customer_id) if chance.random() < 0.97 else "",
        name=f"{chance.choice(_GIVEN)} {chance.choice(_FAMILY)}",
        address=f"{chance.randrange(1, 999)} {chance.choice(_STREETS)}",
        postal_code=_postal_code(person),
        time_zone=person.time_zone,
        gender=chance.choice((pb.GENDER_FEMALE, pb.GENDER_MALE, pb.GENDER_OTHER)),
        birth_year=chance.randrange(1950, 2008),
    )


def phone_of(customer_id: int) -> str:
    """A fictional number, another one for every customer."""
    return f"{PHONE_PREFIX}{customer_id:07d}"


def history_of(world: World, person: Listener) -> list[pb.Listen]:
    """The listens of `person` in the days before `world.until_ms`, oldest first."""
    chance = _chance("history", world, person)
    last_day = datetime.fromtimestamp(world.until_ms / 1000, UTC).date() - timedelta(days=2)
    wanted = round(world.listens_per_customer * person.activity)
    plays: list[_Play] = []
    while len(plays) < wanted:
        day = last_day - timedelta(days=chance.randrange(world.days))
        plays += _session(chance, person, day)
    return [_listen(world, person, number, play, chance) for number, play in enumerate(sorted(plays[:wanted]))]


def campaign_of(world: World, person: Listener, customer: pb.Customer) -> list[pb.AdEvent]:
    """Impressions that the random policy gave to `person`, and what followed each; none for whom it must not reach."""
    if customer.level == pb.LEVEL_GOLD or not (customer.active and customer.consent_player_offers):
        return []
    chance = _chance("campaign", world, person)
    begin_ms = world.until_ms - world.days * DAY_MS // 3
    moments = sorted(chance.randrange(begin_ms, world.until_ms - DAY_MS) for _ in range(chance.randint(1, 3)))
    events: list[pb.AdEvent] = []
    for at_ms in moments:
        events += _exposure(chance, person, at_ms)
    return events


def outcome_of(chance: random.Random, person: Listener) -> pb.AdEventKind | None:
    """What `person` does with an offer on the screen: click, dismiss, or nothing (None)."""
    if chance.random() < person.click_probability:
        return pb.AD_EVENT_KIND_CLICK
    return pb.AD_EVENT_KIND_DISMISS if chance.random() < _DISMISS_SHARE else None


def next_listen(chance: random.Random, person: Listener, event_id: str, at_ms: int) -> pb.Listen:
    """What `person` plays at `at_ms` (epoch ms): track and device by habit, local time by zone."""
    return pb.Listen(
        event_id=event_id,
        customer_id=person.customer_id,
        track_id=_track(chance, person),
        played_at_ms=at_ms,
        device=_device(chance, person),
        postal_code=_postal_code(person),
        utc_offset_minutes=_offset_minutes(datetime.fromtimestamp(at_ms / 1000, ZoneInfo(person.time_zone))),
    )


def _session(chance: random.Random, person: Listener, day: date) -> list[_Play]:
    """One sitting on `day`, within one day part."""
    part = chance.choices(list(DayPart), person.habits[: len(DayPart)])[0]
    first_hour, end_hour = _PART_HOURS[part]
    minutes = chance.randrange(first_hour * 60, end_hour * 60 - _LONGEST_SESSION_MINUTES)
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - wall clock; the zone comes with the next line
    begin = (midnight + timedelta(minutes=minutes)).replace(tzinfo=ZoneInfo(person.time_zone))
    begin_ms = int(begin.timestamp() * 1000) + chance.randrange(MINUTE_MS)
    tracks = _tracks(chance, person)
    offset = _offset_minutes(begin)
    gap_ms = chance.randrange(3 * MINUTE_MS, 5 * MINUTE_MS)
    return [
        _Play(begin_ms + place * gap_ms, offset, track, _device(chance, person)) for place, track in enumerate(tracks)
    ]


def _tracks(chance: random.Random, person: Listener) -> list[int]:
    if chance.random() < _BINGE_SHARE:
        return [chance.choice(person.favourites)] * chance.randint(3, 4)
    return [_track(chance, person) for _ in range(chance.randint(1, 3))]


def _track(chance: random.Random, person: Listener) -> int:
    if chance.random() >= person.habits.unique:
        return chance.choice(person.favourites)
    if chance.random() < 0.5:
        return popular_track(chance)
    return _TRACKS_OF_OTHERS + chance.randrange(10_000_000)


def _device(chance: random.Random, person: Listener) -> pb.Device:
    return pb.DEVICE_MOBILE if chance.random() < person.habits.mobile else pb.DEVICE_PC


def _listen(world: World, person: Listener, number: int, play: _Play, chance: random.Random) -> pb.Listen:
    return pb.Listen(
        event_id=f"sim/{world.seed}/{person.customer_id}/{number}",
        customer_id=person.customer_id,
        track_id=play.track_id,
        played_at_ms=play.at_ms,
        device=play.device,
        postal_code=_postal_code(person),
        utc_offset_minutes=None if chance.random() < _NO_LOCAL_TIME_SHARE else play.utc_offset_minutes,
    )


def _exposure(chance: random.Random, person: Listener, at_ms: int) -> Iterator[pb.AdEvent]:
    decision_id = f"{chance.getrandbits(128):032x}"
    yield _ad_event(person, decision_id, pb.AD_EVENT_KIND_IMPRESSION, at_ms)
    outcome = outcome_of(chance, person)
    if outcome is not None:
        yield _ad_event(person, decision_id, outcome, at_ms + chance.randrange(1000, CLICK_WITHIN_MS))


def _ad_event(person: Listener, decision_id: str, kind: pb.AdEventKind, at_ms: int) -> pb.AdEvent:
    return pb.AdEvent(
        event_id=f"{decision_id}/{pb.AdEventKind.Name(kind)}",
        customer_id=person.customer_id,
        kind=kind,
        at_ms=at_ms,
        decision_id=decision_id,
        campaign_id=CAMPAIGN_ID,
        channel=pb.CHANNEL_PLAYER,
    )


def _chance(purpose: str, world: World, person: Listener) -> random.Random:
    return random.Random(f"{purpose}/{world.seed}/{person.customer_id}")


def _postal_code(person: Listener) -> str:
    return f"{10000 + person.customer_id * 7919 % 89999:05d}"


def _offset_minutes(local: datetime) -> int:
    offset = local.utcoffset()
    return round(offset.total_seconds() / 60) if offset else 0
