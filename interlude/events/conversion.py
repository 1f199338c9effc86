"""From checked messages to what a listener state takes in."""

from typing import Final

from interlude.events.reading import content_type_of, parse
from interlude.events.validation import check_ad_event, check_customer, check_key, check_listen, customer_id_of
from interlude.features.state import (
    AdEvent,
    AdEventKind,
    Erasure,
    Event,
    Level,
    Listen,
    Profile,
    ProfileDeleted,
    Stream,
    hash_id,
)
from interlude.v1 import events_pb2 as pb

_LISTENS: Final = Stream.LISTENS
_AD_EVENTS: Final = Stream.AD_EVENTS
_CUSTOMERS: Final = Stream.CUSTOMERS
_MOBILE: Final = pb.DEVICE_MOBILE

Headers = list[tuple[str, bytes | str | None]] | dict[str, bytes | str | None] | None


def read_event(
    stream: Stream, key: bytes | None, value: bytes | None, headers: Headers, now_ms: int
) -> tuple[int, Event]:
    """The customer and the event of one Kafka record, every field checked. Raises `InvalidEvent`."""
    if value is None:
        value = b""
        if stream is _CUSTOMERS:
            return customer_id_of(key), ProfileDeleted()
    content_type = content_type_of(headers)
    if stream is _LISTENS:
        listen = parse(pb.Listen, value, content_type)
        check_listen(listen, now_ms)
        check_key(key, listen.customer_id)
        return listen.customer_id, to_listen(listen)
    if stream is _AD_EVENTS:
        ad_event = parse(pb.AdEvent, value, content_type)
        check_ad_event(ad_event, now_ms)
        check_key(key, ad_event.customer_id)
        return ad_event.customer_id, to_ad_event(ad_event)
    if stream is not _CUSTOMERS:
        raise ValueError(f"records of {stream.name} go into no state")
    customer = parse(pb.Customer, value, content_type)
    check_customer(customer, now_ms)
    check_key(key, customer.customer_id)
    return customer.customer_id, to_customer_event(customer)


def to_listen(listen: pb.Listen) -> Listen:
    """What a state keeps of a checked listen."""
    offset = listen.utc_offset_minutes if listen.HasField("utc_offset_minutes") else None
    return Listen(listen.played_at_ms, hash_id(listen.event_id), listen.track_id, listen.device == _MOBILE, offset)


def to_ad_event(event: pb.AdEvent) -> AdEvent:
    """What a state keeps of a checked ad event."""
    return AdEvent(event.at_ms, hash_id(event.event_id), hash_id(event.campaign_id), AdEventKind(event.kind))


def to_customer_event(customer: pb.Customer) -> Profile | Erasure:
    """What a checked record of `customers` says: a profile, or that everything up to an instant is to be forgotten."""
    return Erasure(customer.erased_at_ms) if customer.erased_at_ms else to_profile(customer)


def to_profile(customer: pb.Customer) -> Profile:
    """What a state keeps of a checked customer: no name, no address, no phone."""
    return Profile(
        updated_at_ms=customer.updated_at_ms,
        level=Level(customer.level),
        active=customer.active,
        consent_player_offers=customer.consent_player_offers,
        consent_sms=customer.consent_sms,
        gender=customer.gender,
        birth_year=customer.birth_year,
        time_zone=customer.time_zone,
    )
