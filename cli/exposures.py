"""Who was reached by a campaign, on which side of its holdout, and who converted afterwards."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from interlude.contacts.lift import Group
from interlude.events.errors import InvalidEvent
from interlude.events.reading import content_type_of, parse
from interlude.events.topics import Topic
from interlude.servicekit.topic_reading import read_topic
from interlude.v1 import decision_pb2 as pb
from interlude.v1 import events_pb2
from services.decision.tokens import VALID_MS

_WITHHELD: Final = pb.REASON_HOLDOUT


class Exposure(NamedTuple):
    """The first offer to a customer, shown or withheld. `holdout_share` is the one then in force; None: not known."""

    customer_id: int
    at_ms: int
    withheld: bool
    arm: str
    holdout_share: float | None


class SideCounts(NamedTuple):
    """Both groups."""

    shown: Group
    withheld: Group


class SampleRatio(NamedTuple):
    """Customers reached, how many of them were withheld the offer, and how many the shares promised."""

    reached: int
    withheld: int
    expected: float
    standard_errors: float


def first_exposures(
    decisions: Iterable[pb.DecisionLogged], campaign_id: str, shares: Mapping[str, float]
) -> dict[int, Exposure]:
    """The first offer of the campaign to each customer; `shares` has its holdout share by version of the document.

    Offers made while there was no holdout are left out: nobody can be compared with those who saw them.
    """
    found: dict[int, Exposure] = {}
    for logged in decisions:
        response = logged.response
        withheld = response.reason == _WITHHELD
        if response.campaign_id != campaign_id or not (response.show or withheld):
            continue
        customer_id, share = logged.request.customer_id, shares.get(logged.campaigns_version)
        before = found.get(customer_id)
        if share != 0 and (before is None or logged.decided_at_ms < before.at_ms):
            found[customer_id] = Exposure(customer_id, logged.decided_at_ms, withheld, response.arm, share)
    return found


def conversions_in(bootstrap: str, exposures: Mapping[int, Exposure], since_ms: int | None) -> set[int]:
    """The customers of `exposures` with a conversion within the attribution window. Raises `Unavailable`."""
    return converted_customers(_ad_events(bootstrap, since_ms), exposures)


def _ad_events(bootstrap: str, since_ms: int | None) -> Iterator[events_pb2.AdEvent]:
    for record in read_topic(bootstrap, Topic.AD_EVENTS, since_ms=since_ms):
        try:
            yield parse(events_pb2.AdEvent, record.value() or b"", content_type_of(record.headers()))
        except InvalidEvent:
            continue  # a dead letter of the enricher


def converted_customers(events: Iterable[events_pb2.AdEvent], exposures: Mapping[int, Exposure]) -> set[int]:
    """Who converted, whatever the offer was, from the first exposure on and within the attribution window."""
    converted = set()
    for event in events:
        exposure = exposures.get(event.customer_id)
        if (
            exposure is not None
            and event.kind == events_pb2.AD_EVENT_KIND_CONVERSION
            and exposure.at_ms <= event.at_ms <= exposure.at_ms + VALID_MS
        ):
            converted.add(event.customer_id)
    return converted


def count_sides(exposures: Iterable[Exposure], converted: set[int]) -> SideCounts:
    """Customers and conversions of both groups."""
    customers, conversions = [0, 0], [0, 0]
    for exposure in exposures:
        customers[exposure.withheld] += 1
        conversions[exposure.withheld] += exposure.customer_id in converted
    return SideCounts(Group(customers[False], conversions[False]), Group(customers[True], conversions[True]))


def sample_ratio(exposures: Iterable[Exposure]) -> SampleRatio | None:
    """How far the size of the holdout is from what the shares promise, each customer counted with the share of the moment; None
    where no share is known."""
    known = [
        (exposure.withheld, exposure.holdout_share) for exposure in exposures if exposure.holdout_share is not None
    ]
    if not known:
        return None
    withheld = sum(is_withheld for is_withheld, _ in known)
    expected = sum(share for _, share in known)
    error = math.sqrt(sum(share * (1 - share) for _, share in known))
    return SampleRatio(len(known), withheld, expected, (withheld - expected) / error)
