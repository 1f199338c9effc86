"""What happened to listeners, in the order in which it gets into Kafka: late, doubled, in disorder; made from a seed."""

import random
from collections.abc import Iterator
from typing import Final, NamedTuple

from interlude.events.topics import PARTITIONER, Topic
from interlude.servicekit.producing import RecordProducer
from interlude.v1 import events_pb2 as pb

BASE_MS: Final = 1_700_000_000_000
_MINUTE_MS: Final = 60_000
_TRACKS: Final = 12
_LINGER_MS: Final = 5
_FLUSH_SECONDS: Final = 120.0
_QUEUED_AT_ONCE: Final = 20_000
"""Records; a producer has room for more."""


class Sent(NamedTuple):
    """One record. No value means that the customer's profile is deleted."""

    topic: Topic
    customer_id: int
    value: bytes | None


def history(customers: int, count: int, seed: int) -> Iterator[Sent]:
    """`count` records: of 100 that follow the profiles, 85 are listens, 10 ad events, 3 something that was there already, 2 are
    profiles or deletions of them. Times are any of four weeks, so that hardly any record is the newest of its listener."""
    chance = random.Random(seed)
    sent: list[Sent] = []
    for number in range(count):
        if number < customers:
            record = Sent(Topic.CUSTOMERS, number, _profile(number, chance))
        else:
            record = _record(number, chance.randrange(customers), chance, sent)
        sent.append(record)
        yield record


def _record(number: int, customer_id: int, chance: random.Random, sent: list[Sent]) -> Sent:
    kind = chance.randrange(100)
    if kind < 85:
        return Sent(Topic.LISTENS, customer_id, _listen(customer_id, number, chance))
    if kind < 95:
        return Sent(Topic.AD_EVENTS, customer_id, _ad_event(customer_id, number, chance))
    if kind < 98:
        return chance.choice(sent)
    deleted = chance.random() < 0.2
    return Sent(Topic.CUSTOMERS, customer_id, None if deleted else _profile(customer_id, chance))


def _listen(customer_id: int, number: int, chance: random.Random) -> bytes:
    listen = pb.Listen(
        event_id=f"listen-{number}",
        customer_id=customer_id,
        track_id=chance.randrange(_TRACKS),
        # Within forty minutes four times a day: sessions, in which tracks come again.
        played_at_ms=BASE_MS + (chance.randrange(28 * 4) * 360 + chance.randrange(40)) * _MINUTE_MS,
        device=chance.choice((pb.DEVICE_MOBILE, pb.DEVICE_PC)),
        postal_code="60601",
    )
    if chance.random() < 0.8:
        listen.utc_offset_minutes = chance.choice((-360, 0, 330))
    return listen.SerializeToString()


def _ad_event(customer_id: int, number: int, chance: random.Random) -> bytes:
    return pb.AdEvent(
        event_id=f"ad-{number}",
        customer_id=customer_id,
        kind=chance.choice((pb.AD_EVENT_KIND_IMPRESSION, pb.AD_EVENT_KIND_CLICK, pb.AD_EVENT_KIND_DISMISS)),
        at_ms=BASE_MS + chance.randrange(28 * 24 * 60) * _MINUTE_MS,
        campaign_id="gold",
        channel=pb.CHANNEL_PLAYER,
    ).SerializeToString()


def _profile(customer_id: int, chance: random.Random) -> bytes:
    return pb.Customer(
        customer_id=customer_id,
        updated_at_ms=BASE_MS + chance.randrange(10**9),
        level=chance.choice((pb.LEVEL_FREE, pb.LEVEL_SILVER, pb.LEVEL_GOLD)),
        active=chance.random() < 0.9,
        consent_player_offers=chance.random() < 0.8,
        phone="+15550100",
        time_zone=chance.choice(("", "America/Chicago", "Asia/Kolkata")),
    ).SerializeToString()


class Source:
    """Puts a history into Kafka piece by piece. Raises `Unavailable` when Kafka does not take it for two minutes."""

    def __init__(self, bootstrap: str, records: Iterator[Sent]) -> None:
        self._producer = RecordProducer(bootstrap, client_id="chaos", partitioner=PARTITIONER, linger_ms=_LINGER_MS)
        self._records = records
        self.sent = 0
        """Records that are in Kafka or on their way there."""

    def send(self, count: int) -> None:
        """The next `count` records, or all that are left."""
        for _, (topic, customer_id, value) in zip(range(count), self._records, strict=False):
            if self.sent % _QUEUED_AT_ONCE == 0:
                self.flush()
            if not self._producer.send(topic, b"%d" % customer_id, value):
                self.flush()
                self._producer.send(topic, b"%d" % customer_id, value)
            self.sent += 1

    def flush(self) -> None:
        """Wait until Kafka has all of them."""
        self._producer.flush(_FLUSH_SECONDS)
