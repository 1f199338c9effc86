"""Past impressions, clicks and dismissals, each counting half after `OFFER_HALF_LIFE_HOURS`.

Decay by age is the same factor for all counts, so they are kept as they were at the newest ad event, and whoever asks later
multiplies once. Layout: that event's time (int64); impressions, clicks and dismissals of all offers (float32 each); then up to
`OFFERS_COUNTED` offers, the one with the newest ad event first, each as 4 bytes of its campaign's hash and its own three counts.
Empty without an ad event.
"""

import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from interlude.features.schema import OFFER_HALF_LIFE_HOURS, OFFERS_COUNTED
from interlude.features.state import AdEventKind, AdEvents

_ALL: Final = struct.Struct("<q3f")
_ONE: Final = struct.Struct("<I3f")
OFFER_COUNT_BYTES: Final = tuple(_ALL.size + count * _ONE.size for count in range(1, OFFERS_COUNTED + 1))
"""How many bytes there may be, where there are any."""
_HALF_LIFE_MS: Final = OFFER_HALF_LIFE_HOURS * 3_600_000
_MARK: Final = 2**32 - 1
_REMEMBERED: Final = 16_384
_UNCOUNTED: Final = AdEventKind.CONVERSION.value


class OfferCounts(NamedTuple):
    """Events, decayed to some moment."""

    impressions: float = 0.0
    clicks: float = 0.0
    dismissals: float = 0.0


NO_OFFERS: Final = OfferCounts()


@lru_cache(maxsize=_REMEMBERED)
def count_offers(ad_events: AdEvents) -> bytes:
    """The counts of the kept ad events, at least one. Of those who listen now they are asked for with every track, and they seldom
    change."""
    rows = len(ad_events.kinds)
    times = struct.unpack(f"<{rows}Q", ad_events.at_ms)
    campaigns = struct.unpack(f"<{rows}Q", ad_events.campaign_hash)
    newest_ms = times[-1]
    total = [0.0] * (_UNCOUNTED + 1)
    offers: dict[int, list[float]] = {}
    for at_ms, campaign, kind in zip(reversed(times), reversed(campaigns), reversed(ad_events.kinds), strict=True):
        weight = 0.5 ** ((newest_ms - at_ms) / _HALF_LIFE_MS)
        total[kind] += weight
        offer = offers.get(campaign)
        if offer is None:
            offer = offers[campaign] = [0.0] * (_UNCOUNTED + 1)
        offer[kind] += weight
    counts = [_ALL.pack(newest_ms, *total[1:_UNCOUNTED])]
    for campaign, offer in list(offers.items())[:OFFERS_COUNTED]:
        counts.append(_ONE.pack(campaign & _MARK, *offer[1:_UNCOUNTED]))
    return b"".join(counts)


def counts_of_all(offer_counts: bytes, now_ms: int) -> OfferCounts:
    """The counts of all offers together, as of `now_ms`."""
    if not offer_counts:
        return NO_OFFERS
    newest_ms, *counts = _ALL.unpack_from(offer_counts)
    return _decayed(counts, now_ms - newest_ms)


def counts_of_one(offer_counts: bytes, campaign_hash: int, now_ms: int) -> OfferCounts:
    """The counts of one offer as of `now_ms`; none where it is not among those that are counted one by one."""
    for mark, *counts in _offers(offer_counts):
        if mark == campaign_hash & _MARK:
            return _decayed(counts, now_ms - _ALL.unpack_from(offer_counts)[0])
    return NO_OFFERS


def _offers(offer_counts: bytes) -> Iterator[tuple[int, float, float, float]]:
    return _ONE.iter_unpack(offer_counts[_ALL.size :])


def _decayed(counts: list[float], age_ms: int) -> OfferCounts:
    weight = 0.5 ** (max(0, age_ms) / _HALF_LIFE_MS)
    impressions, clicks, dismissals = counts
    return OfferCounts(impressions * weight, clicks * weight, dismissals * weight)
