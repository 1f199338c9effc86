"""A backlog in Kafka for an enricher to work off: what some thousand listeners did in some hours, all topics' schemas in full."""

import random
import time
from typing import Final

from bench.freshness.schedule import TRACKS
from bench.freshness.sending import open_producer, try_send
from interlude.v1 import events_pb2 as pb

BETWEEN_LISTENS_MS: Final = 210_000
"""A track's length: as often does a listener of the backlog play one, on average."""
_AD_EVENT_SHARE: Final = 0.02
_SEED: Final = 20_141_001
_LINGER_MS: Final = 50
_FULL_SECONDS: Final = 0.01


def write_backlog(bootstrap: str, events: int, customers: int, began_ms: int) -> None:
    """`events` events of customers 0 to `customers` - 1 in random turn, from `began_ms` (epoch ms) on; two of a hundred are
    impressions, the rest are listens."""
    chance = random.Random(_SEED)
    with open_producer(bootstrap, _LINGER_MS) as producer:
        for number in range(events):
            customer_id = chance.randrange(customers)
            at_ms = began_ms + number * BETWEEN_LISTENS_MS // customers
            is_ad = chance.random() < _AD_EVENT_SHARE
            event = _impression(number, customer_id, at_ms) if is_ad else _listen(chance, number, customer_id, at_ms)
            while not try_send(producer, event):
                time.sleep(_FULL_SECONDS)


def lasts_ms(events: int, customers: int) -> int:
    """From the first event of such a backlog to the last."""
    return events * BETWEEN_LISTENS_MS // customers


def _listen(chance: random.Random, number: int, customer_id: int, at_ms: int) -> pb.Listen:
    return pb.Listen(
        event_id=f"backlog/{number}",
        customer_id=customer_id,
        track_id=chance.randrange(TRACKS),
        played_at_ms=at_ms,
        device=pb.DEVICE_MOBILE if chance.random() < 0.6 else pb.DEVICE_PC,
        postal_code="72132",
        utc_offset_minutes=-300,
    )


def _impression(number: int, customer_id: int, at_ms: int) -> pb.AdEvent:
    return pb.AdEvent(
        event_id=f"backlog/{number}",
        customer_id=customer_id,
        kind=pb.AD_EVENT_KIND_IMPRESSION,
        at_ms=at_ms,
        decision_id=f"backlog/{number}",
        campaign_id="bench",
        channel=pb.CHANNEL_PLAYER,
    )
