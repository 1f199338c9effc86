"""Checking what callers send: the message names field, value and limit."""

from dataclasses import dataclass
from typing import Final

from interlude.contacts.campaign import Campaign, Campaigns
from interlude.v1 import decision_pb2 as pb
from interlude.v1 import events_pb2
from services.decision.answers import Question, new_tuple

REQUEST_ID_LENGTH: Final = 64
BATCH_LIMIT: Final = 256
NAMED_LENGTH: Final = 64
"""How much of a wrong text a refusal repeats: headers beyond 8 KiB never reach the caller."""

_DEVICES: Final = frozenset(events_pb2.Device.values())


@dataclass(eq=False)
class InvalidRequest(Exception):
    """A request that is the caller's fault."""

    field: str
    problem: str

    def __str__(self) -> str:
        return f"{self.field} {self.problem}"


def to_question(request: pb.DecideRequest, campaigns: Campaigns, field: str = "") -> Question:
    """The question in a request; `field` is where the request stands in a batch. Raises `InvalidRequest`."""
    request_id, customer_id, next_track_id = request.request_id, request.customer_id, request.next_track_id
    # Here and below: names are put together for those who err, for all others that would cost more than the check.
    if not _is_request_id(request_id):
        _check_request_id(request_id, field)
    if customer_id < 0 or next_track_id < 0:
        _check_id(f"{field}customer_id", customer_id)
        _check_id(f"{field}next_track_id", next_track_id)
    if request.device not in _DEVICES:
        raise InvalidRequest(f"{field}device", f"is {request.device}, expected one of {events_pb2.Device.values()}")
    campaign = campaigns.find(request.campaign_id) or find_campaign(request.campaign_id, campaigns, field)
    return new_tuple(Question, (request_id, customer_id, campaign, next_track_id, campaigns.version))


def to_questions(request: pb.DecideBatchRequest, campaigns: Campaigns) -> list[Question]:
    """The questions of a batch. Raises `InvalidRequest` for the first that is wrong."""
    count = len(request.requests)
    if not 0 < count <= BATCH_LIMIT:
        raise InvalidRequest("requests", f"has {count} entries, expected 1 to {BATCH_LIMIT}")
    return [to_question(entry, campaigns, f"requests[{place}].") for place, entry in enumerate(request.requests)]


def to_explained(request: pb.ExplainRequest, campaigns: Campaigns) -> Question:
    """The question that an explanation is asked about; without a request id it is one that was not asked before. Raises
    `InvalidRequest`."""
    if request.request_id:
        _check_request_id(request.request_id)
    _check_id("customer_id", request.customer_id)
    _check_id("next_track_id", request.next_track_id)
    campaign = find_campaign(request.campaign_id, campaigns)
    return Question(request.request_id, request.customer_id, campaign, request.next_track_id, campaigns.version)


def find_campaign(campaign_id: str, campaigns: Campaigns, field: str = "") -> Campaign:
    """The campaign of that id, or the default. Raises `InvalidRequest`."""
    campaign = campaigns.find(campaign_id)
    if campaign is None:
        known = ", ".join(each.campaign_id for each in campaigns.campaigns)
        raise InvalidRequest(f"{field}campaign_id", f"is {campaign_id[:NAMED_LENGTH]!a}, expected one of: {known}")
    return campaign


def _is_request_id(text: str) -> bool:
    return 0 < len(text) <= REQUEST_ID_LENGTH and text.isascii() and text.isprintable()


def _check_request_id(request_id: str, field: str = "") -> None:
    if not _is_request_id(request_id):
        raise InvalidRequest(
            f"{field}request_id",
            f"has {len(request_id)} characters, expected 1 to {REQUEST_ID_LENGTH} of printable ASCII",
        )


def _check_id(field: str, value: int) -> None:
    if value < 0:
        raise InvalidRequest(field, f"is {value}, expected 0 to 2^63-1")
