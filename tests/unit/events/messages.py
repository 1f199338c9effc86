"""Events as they should be, and ways to write them down."""

from typing import Final

from google.protobuf import json_format
from google.protobuf.message import Message

from interlude.v1 import events_pb2 as pb

NOW_MS: Final = 1_700_000_000_000


def listen() -> pb.Listen:
    """A listen with every field set."""
    return pb.Listen(
        event_id="play-1",
        customer_id=42,
        track_id=7,
        played_at_ms=NOW_MS - 1000,
        device=pb.DEVICE_MOBILE,
        postal_code="60601",
        utc_offset_minutes=-360,
    )


def ad_event() -> pb.AdEvent:
    """An ad event with every field set."""
    return pb.AdEvent(
        event_id="offer-1/click",
        customer_id=42,
        kind=pb.AD_EVENT_KIND_CLICK,
        at_ms=NOW_MS - 1000,
        decision_id="0" * 32,
        campaign_id="gold",
        channel=pb.CHANNEL_PLAYER,
    )


def customer() -> pb.Customer:
    """A customer with every field set."""
    return pb.Customer(
        customer_id=42,
        updated_at_ms=NOW_MS - 1000,
        level=pb.LEVEL_SILVER,
        active=True,
        consent_player_offers=True,
        consent_sms=True,
        phone="+15550100",
        name="Ada Example",
        address="1 Example Street",
        postal_code="60601",
        time_zone="America/Chicago",
        gender=pb.GENDER_FEMALE,
        birth_year=1984,
    )


def erasure() -> pb.Customer:
    """That a customer was erased."""
    return pb.Customer(customer_id=42, erased_at_ms=NOW_MS - 1000)


def sms_request() -> pb.SmsRequest:
    """A request for a text message with every field set."""
    return pb.SmsRequest(
        request_id="gold/42",
        customer_id=42,
        campaign_id="gold",
        requested_at_ms=NOW_MS - 1000,
        expires_at_ms=NOW_MS + 1000,
        score=0.5,
        model_version="v1",
    )


def as_json(message: Message) -> bytes:
    """proto3 JSON, as a log shipper writes it."""
    return json_format.MessageToJson(message, indent=None).encode()
