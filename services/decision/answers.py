"""Questions and answers as the service thinks of them, and the facts between the two. Knows no gRPC and no protobuf."""

from enum import IntEnum
from typing import Final, NamedTuple

from interlude.contacts.budget import BudgetState
from interlude.contacts.campaign import Campaign, ColdStart
from interlude.contacts.experiment import UNASSIGNED, assign, chance
from interlude.contacts.ledger import CorruptContacts, contact_times, has_contact_of
from interlude.features.codec import CorruptValue, HotFeatures, decode_hot
from interlude.features.moment_features import with_moment
from interlude.features.state import hash_id
from services.decision.policy import SHOWN, Facts, Reason, Rung

new_tuple: Final = tuple.__new__
"""Makes a named tuple of all its fields without its own constructor, which takes as long again to hand them on: for those of
which every decision has one. It knows no defaults: whoever adds a field to one of them adds it wherever this is called."""


class ReservationState(IntEnum):
    """What the ledger said when the contact of a "show" was to be reserved, numbered as on the wire."""

    NOT_ASKED = 0
    RESERVED = 1
    REPEATED = 2
    CAPPED = 3
    UNAVAILABLE = 4


class Question(NamedTuple):
    """One checked request. `next_track_id` 0: not known; `campaigns_version` names the document that `campaign` is from."""

    request_id: str
    customer_id: int
    campaign: Campaign
    next_track_id: int = 0
    campaigns_version: str = ""


class Answer(NamedTuple):
    """What is answered, and all that it was made from. `decided_at_ms` is epoch ms; the two values are Redis' own bytes, empty
    where there were none or nothing was read."""

    question: Question
    reason: Reason
    facts: Facts
    propensity: float
    model_version: str
    decided_at_ms: int
    listener_value: bytes = b""
    contacts_value: bytes = b""
    reservation: ReservationState = ReservationState.NOT_ASKED

    @property
    def show(self) -> bool:
        """Whether the offer is shown now."""
        return self.reason in SHOWN


def facts_of(
    question: Question,
    listener: HotFeatures | None,
    contacts_value: bytes,
    *,
    now_ms: int,
    score: float | None,
    model_threshold: float | None,
    budget: BudgetState,
) -> Facts:
    """What the policy is asked, where Redis was read: the same for a decision, its explanation and its replay.

    `model_threshold` is None where no model serves. Contacts that do not decode count as none: the reservation reads them again.
    """
    campaign, times = question.campaign, _contact_times(question, contacts_value) if contacts_value else ()
    if budget is not BudgetState.OPEN and is_repeated(question, contacts_value):
        budget = BudgetState.OPEN  # its discount was taken the first time
    drawn = campaign.arms or campaign.holdout_share
    return new_tuple(
        Facts,
        (
            campaign,
            now_ms,
            Rung.FULL if score is not None else _rung_without_score(campaign, model_threshold),
            listener,
            times,
            score,
            model_threshold,
            question.next_track_id,
            budget,
            assign(campaign, question.customer_id) if drawn else UNASSIGNED,
            chance(campaign, question.customer_id, question.request_id) if campaign.exploration_rate else 1.0,
        ),
    )


def is_repeated(question: Question, contacts_value: bytes) -> bool:
    """Whether the contact of this very question is in the ledger already: asking again must give the same answer."""
    return has_contact_of(contacts_value, hash_id(question.request_id))


def read_listener(value: bytes) -> HotFeatures | None:
    """The listener in a value of `f:{id}` as a decision sees it: None for an empty one and for one that does not decode."""
    if not value:
        return None
    try:
        return decode_hot(value)
    except CorruptValue:
        return None


def as_asked(
    listener: HotFeatures | None, question: Question, now_ms: int, *, takes_moment: bool
) -> HotFeatures | None:
    """The listener with the vector that the model is given: the stored one, unless the model takes what only the moment knows."""
    if listener is None or not takes_moment:
        return listener
    return with_moment(listener, now_ms, question.campaign.campaign_hash)


def _contact_times(question: Question, contacts_value: bytes) -> tuple[int, ...]:
    try:
        return contact_times(contacts_value, hash_id(question.request_id))
    except CorruptContacts:
        return ()


def _rung_without_score(campaign: Campaign, model_threshold: float | None) -> Rung:
    if campaign.cold_start is ColdStart.PRIOR:
        return Rung.PRIOR
    return Rung.NO_MODEL if model_threshold is None else Rung.FULL
