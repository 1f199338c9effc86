"""What a logged decision would have been under another form of its campaign. Pure.

Everything but the campaign stays as it was: time, listener, contacts, score, the state of the budget and the ledger's word. So
with the same campaign the answer is the same. Answers that would have come before, and the contacts and discounts that they would
have made or spared, are not in it.
"""

from interlude.contacts.budget import BudgetState
from interlude.contacts.campaign import Campaign
from interlude.features.schema import SCHEMA_VERSION
from interlude.v1 import decision_pb2 as pb
from services.decision.answers import Question, facts_of, read_listener
from services.decision.policy import UNREAD, Facts, Reason, Rung, decide
from services.decision.replay import CannotReplay, reason_after_reservation


def judge_under(campaign: Campaign, logged: pb.DecisionLogged) -> Reason:
    """The reason that `logged` would have had under `campaign`. Raises `CannotReplay`."""
    return reason_after_reservation(decide(_facts(campaign, logged)).reason, logged)


def _facts(campaign: Campaign, logged: pb.DecisionLogged) -> Facts:
    rung = Rung(logged.response.rung)
    if rung in UNREAD:
        return Facts(campaign, logged.decided_at_ms, rung)
    if logged.schema_version != SCHEMA_VERSION:
        raise CannotReplay(f"schema {logged.schema_version}, this version has {SCHEMA_VERSION}")
    request, response = logged.request, logged.response
    return facts_of(
        Question(request.request_id, request.customer_id, campaign, request.next_track_id),
        read_listener(logged.listener),
        logged.contacts,
        now_ms=logged.decided_at_ms,
        score=response.score if response.HasField("score") else None,
        # No threshold, and one of 0, look alike in the log: a model that was asked is named.
        model_threshold=logged.threshold if response.model_version else None,
        budget=BudgetState.OPEN if campaign.budget is None else BudgetState(logged.budget),
    )
