"""Makes a logged decision again, from its log line alone, the campaigns and the model that it names.

The facts come from `answers.facts_of` and the verdict from the policy, as when it was decided; the score is computed anew, by
the model. What only the moment knew is taken from the line: the time, the budget, whether Redis answered, and what the ledger
said to the reservation.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from interlude.contacts.budget import BudgetState
from interlude.contacts.campaign import Campaigns
from interlude.features.codec import HotFeatures
from interlude.features.schema import SCHEMA_VERSION
from interlude.v1 import decision_pb2 as pb
from services.decision.answers import Answer, Question, ReservationState, as_asked, facts_of, read_listener
from services.decision.champion import Serving
from services.decision.policy import CERTAIN, SHOWN, UNREAD, Facts, Reason, Rung, decide
from services.decision.requests import to_question
from services.decision.responses import to_response

CampaignsOf = Callable[[str], Campaigns]
"""The document of a version; the topic `campaigns` has all. Raises `LookupError`."""

ServingOf = Callable[[str], Serving]
"""The model of a version, from the store. Raises `LookupError`."""

_BY_CAPS: Final = frozenset({Reason.FREQUENCY_CAP, Reason.MINIMUM_GAP, Reason.LISTENING_HOUR})
"""What a reservation may have been refused for."""


class CannotReplay(Exception):
    """The line does not hold what this version of the service needs: it was written under another schema of features."""


class Difference(NamedTuple):
    """A field of the response that is another than the logged one; each as text, empty where there is none."""

    field: str
    logged: str
    replayed: str


class Replayed(NamedTuple):
    """A decision made again; `facts` are those before its reservation."""

    facts: Facts
    response: pb.DecideResponse


def replay(logged: pb.DecisionLogged, campaigns_of: CampaignsOf, serving_of: ServingOf) -> pb.DecideResponse:
    """The response as it would be given again: equal to `logged.response`, bit for bit, or something was not as the line says.

    Raises as `make_again` does.
    """
    return make_again(logged, campaigns_of, serving_of).response


def make_again(logged: pb.DecisionLogged, campaigns_of: CampaignsOf, serving_of: ServingOf) -> Replayed:
    """The decision made again, with what it was made from.

    Raises `CannotReplay`, `InvalidRequest` for a line of a request that would have been refused, and whatever `campaigns_of` and
    `serving_of` raise.
    """
    if logged.schema_version != SCHEMA_VERSION:
        raise CannotReplay(f"schema {logged.schema_version}, this version has {SCHEMA_VERSION}")
    question = to_question(logged.request, campaigns_of(logged.campaigns_version))
    facts = _facts(logged, question, serving_of)
    verdict = decide(facts)
    answer = Answer(question, verdict.reason, facts, verdict.propensity, logged.response.model_version, facts.now_ms)
    return Replayed(facts, to_response(_after_reservation(answer, logged)))


def differences(logged: pb.DecideResponse, replayed: pb.DecideResponse) -> list[Difference]:
    """Where two responses are not the same, field by field, in the order of their numbers; empty: they are equal bit for bit."""
    fields = [
        field
        for field in pb.DecideResponse.DESCRIPTOR.fields
        if _text(logged, field.name) != _text(replayed, field.name)
    ]
    return [Difference(field.name, _text(logged, field.name), _text(replayed, field.name)) for field in fields]


def reason_after_reservation(reason: Reason, logged: pb.DecisionLogged) -> Reason:
    """What the ledger's word made of the policy's, where an offer was to be shown or withheld."""
    if reason not in SHOWN | {Reason.HOLDOUT}:
        return reason
    said = ReservationState(logged.reservation)
    if said is ReservationState.UNAVAILABLE:
        return Reason.UNAVAILABLE
    answered = Reason(logged.response.reason)
    return answered if said is ReservationState.CAPPED and answered in _BY_CAPS else reason


def _facts(logged: pb.DecisionLogged, question: Question, serving_of: ServingOf) -> Facts:
    rung = Rung(logged.response.rung)
    if rung in UNREAD:
        return Facts(question.campaign, logged.decided_at_ms, rung)
    version = logged.response.model_version
    serving = serving_of(version) if version else None
    takes_moment = serving is not None and serving.scorer.takes_moment
    listener = as_asked(read_listener(logged.listener), question, logged.decided_at_ms, takes_moment=takes_moment)
    return facts_of(
        question,
        listener,
        logged.contacts,
        now_ms=logged.decided_at_ms,
        score=_score(listener, serving),
        model_threshold=None if serving is None else serving.threshold,
        budget=BudgetState(logged.budget),
    )


def _score(listener: HotFeatures | None, serving: Serving | None) -> float | None:
    """Of one row by itself. The decision's was one of a batch: it is the same, as the model computes in double and rounds at its
    end (docs/adr/0013)."""
    if listener is None or serving is None:
        return None
    vector = np.frombuffer(listener.vector, dtype="<f4").reshape(1, -1)
    return float(serving.scorer.score_vectors(vector)[0])


def _after_reservation(answer: Answer, logged: pb.DecisionLogged) -> Answer:
    reason = reason_after_reservation(answer.reason, logged)
    if reason is answer.reason:
        return answer
    rung = Rung.NO_RESERVATION if reason is Reason.UNAVAILABLE else answer.facts.rung
    return answer._replace(reason=reason, facts=answer.facts._replace(rung=rung), propensity=CERTAIN)


def _text(response: pb.DecideResponse, field: str) -> str:
    """A float is told by all of its bits: its shortest decimal may be another's, too."""
    if response.DESCRIPTOR.fields_by_name[field].has_presence and not response.HasField(field):
        return ""
    value = getattr(response, field)
    return value.hex() if isinstance(value, float) else str(value)
