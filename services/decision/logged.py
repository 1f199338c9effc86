"""What the service has written to Kafka, read back by tools: its decisions, and the campaigns they were made by."""

from collections.abc import Iterator

from google.protobuf.message import DecodeError

from interlude.contacts.campaign import Campaigns
from interlude.contacts.campaign_file import parse_campaigns
from interlude.events.topics import Topic
from interlude.servicekit.topic_reading import read_topic
from interlude.v1 import decision_pb2 as pb


def decisions_in(
    bootstrap: str, since_ms: int | None = None, customer_id: int | None = None
) -> Iterator[pb.DecisionLogged]:
    """Every logged decision from `since_ms` (epoch ms) on, one customer's in their order; with `customer_id` only those in its
    partition, which holds others' too. A decision that was asked for again is there again, under the same id. Raises
    `Unavailable`."""
    key = None if customer_id is None else b"%d" % customer_id
    for record in read_topic(bootstrap, Topic.DECISIONS, since_ms=since_ms, key=key):
        try:
            yield pb.DecisionLogged.FromString(record.value() or b"")
        except DecodeError:
            continue  # not written by the service


def campaigns_in(bootstrap: str) -> dict[str, Campaigns]:
    """Every document that was ever in force, by its version. Raises `Unavailable`, and `InvalidCampaigns` for one that this
    version of the service does not take any more."""
    documents = {}
    for record in read_topic(bootstrap, Topic.CAMPAIGNS):
        version, value = _text(record.key()), record.value()
        if value:
            # Under the version that decisions name: fields that were added since would give it another.
            documents[version] = parse_campaigns(value, f"document {version} in topic {Topic.CAMPAIGNS}")
    return documents


def _text(key: str | bytes | None) -> str:
    return key.decode() if isinstance(key, bytes) else key or ""
