"""What is kept of one listener.

A state is a *set*, not running sums: the newest listens and ad events by (time, event hash). Taking an event in twice, late
or in another order gives the same set, hence the same bytes (docs/adr/0002-state-is-a-bounded-set.md).

Kept rows lie in columns of packed bytes, so that the usual event, one newer than all others, is one append.
"""

import hashlib
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final, NamedTuple


class Stream(IntEnum):
    """The topics whose events are taken into a state; the value is the place of its position in `ListenerState.offsets`.

    `SMS_EVENTS` has a place and is read by nobody yet: a state is laid out for it. Another member changes that layout
    (`codec.py`).
    """

    LISTENS = 0
    AD_EVENTS = 1
    CUSTOMERS = 2
    SMS_EVENTS = 3


_OFFSET_BITS: Final = 40
"""A trillion records of one partition, and eight million partitions."""
NOTHING_APPLIED: Final = -1
NO_OFFSETS: Final[tuple[int, ...]] = (NOTHING_APPLIED,) * len(Stream)
NEVER_ERASED: Final = -1


class DayPart(IntEnum):
    """The part of the local day in which a listen began; the value is the place of its share in the vector."""

    MORNING = 0
    AFTERNOON = 1
    EVENING = 2
    NIGHT = 3


class Level(IntEnum):
    """Subscription level, numbered as on the wire."""

    UNKNOWN = 0
    FREE = 1
    SILVER = 2
    GOLD = 3


class AdEventKind(IntEnum):
    """What happened to an offer, numbered as on the wire."""

    IMPRESSION = 1
    CLICK = 2
    DISMISS = 3
    CONVERSION = 4


class ListenMark(IntFlag):
    """One byte per kept listen: `DayPart` in the two lowest bits, then these."""

    MOBILE = 4
    LOCAL_TIME_UNKNOWN = 8


class Listen(NamedTuple):
    """One play, as it is taken into a state. `utc_offset_minutes` is local time minus UTC; None when the player did not say."""

    played_at_ms: int
    event_hash: int
    track_id: int
    mobile: bool
    utc_offset_minutes: int | None


class AdEvent(NamedTuple):
    """One ad event, as it is taken into a state."""

    at_ms: int
    event_hash: int
    campaign_hash: int
    kind: AdEventKind


@dataclass(frozen=True, slots=True)
class Profile:
    """What decisions need of a customer; no personal data. `birth_year` 0 and an empty `time_zone` mean unknown."""

    updated_at_ms: int
    level: Level
    active: bool
    consent_player_offers: bool
    consent_sms: bool
    gender: int = 0
    birth_year: int = 0
    time_zone: str = ""


class ProfileDeleted(NamedTuple):
    """The customer's profile was deleted (a tombstone on `customers`)."""


class Erasure(NamedTuple):
    """The customer asked to be forgotten: nothing that happened up to `at_ms` may be kept, or taken in again by a replay."""

    at_ms: int


Event = Listen | AdEvent | Profile | ProfileDeleted | Erasure


class Listens(NamedTuple):
    """Columns of kept listens, oldest first: 8 bytes a row little-endian, `marks` 1 byte a row. `tracks`: how many different
    tracks they are of, which follows from them and is dear to count."""

    played_at_ms: bytes = b""
    event_hash: bytes = b""
    track_id: bytes = b""
    marks: bytes = b""
    tracks: int = 0


class AdEvents(NamedTuple):
    """Columns of kept ad events, oldest first: 8 bytes a row little-endian, `kinds` 1 byte a row."""

    at_ms: bytes = b""
    event_hash: bytes = b""
    campaign_hash: bytes = b""
    kinds: bytes = b""


class ListenerState(NamedTuple):
    """Everything known of one listener, and per `Stream` the newest `log_position` that it includes."""

    offsets: tuple[int, ...] = NO_OFFSETS
    profile: Profile | None = None
    listens: Listens = Listens()
    ad_events: AdEvents = AdEvents()
    erased_at_ms: int = NEVER_ERASED
    """The newest erasure: nothing kept is of this instant or before."""


def log_position(partition: int, offset: int) -> int:
    """Where a record stands, as one number that rises from each of a customer's events to the next of the topic: also over a
    growth of the topic to a multiple of its partitions, which leaves customers where they are or takes them to higher numbers."""
    return partition << _OFFSET_BITS | offset


def partition_at(position: int) -> int:
    """The partition of a `log_position`; -1 for `NOTHING_APPLIED`."""
    return position >> _OFFSET_BITS


def hash_id(text: str) -> int:
    """A 64-bit hash of an event or campaign id, the same on every machine and in every run."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
