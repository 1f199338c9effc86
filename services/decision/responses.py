"""From answers to what goes over the wire and into the log.

A response is serialised once. The caller gets those bytes, with a token behind them where the offer is shown; the log keeps the
same bytes inside its record. docs/adr/0013 has what that saves.
"""

import functools
import hashlib
from typing import Final, NamedTuple, cast

from interlude.contacts.budget import BudgetState
from interlude.contacts.caps import DAY_MS
from interlude.features.schema import SCHEMA_VERSION
from interlude.v1 import decision_pb2 as pb
from services.decision.answers import Answer, Question, ReservationState, new_tuple
from services.decision.policy import SHOWN, Reason, Rung
from services.decision.tokens import Shown, TokenIssuer
from services.decision.wire import Prefixes, bytes_field, float_field, number_field

LOGGED_AS_SENT_BYTES: Final = 192
"""Requests up to this size are logged byte for byte, with whatever fields a newer player sends; a request with every known field
full has 154. Of longer ones the known fields are kept: a log line stays small, and cannot be nested deeper than readers take."""

_token_field: Final = bytes_field(pb.DecideResponse.OUTCOME_TOKEN_FIELD_NUMBER)
_response_of_batch: Final = bytes_field(pb.DecideBatchResponse.RESPONSES_FIELD_NUMBER)
_score: Final = float_field(pb.DecideResponse.SCORE_FIELD_NUMBER)
_age: Final = number_field(pb.DecideResponse.FEATURE_AGE_MS_FIELD_NUMBER)
_RESPONSE_ID: Final = Prefixes(pb.DecideResponse.DECISION_ID_FIELD_NUMBER)
_LINE_ID: Final = Prefixes(pb.DecisionLogged.DECISION_ID_FIELD_NUMBER)
_REQUEST: Final = Prefixes(pb.DecisionLogged.REQUEST_FIELD_NUMBER)
_RESPONSE: Final = Prefixes(pb.DecisionLogged.RESPONSE_FIELD_NUMBER)
_FEATURES: Final = Prefixes(pb.DecisionLogged.FEATURES_FIELD_NUMBER)
_LISTENER: Final = Prefixes(pb.DecisionLogged.LISTENER_FIELD_NUMBER)
_CONTACTS: Final = Prefixes(pb.DecisionLogged.CONTACTS_FIELD_NUMBER)

_fresh_hash: Final = hashlib.blake2b(digest_size=16).copy


class Decision(NamedTuple):
    """An answer as it was given: `request` as the caller sent it, `response` serialised, without its token."""

    decision_id: bytes
    request: bytes
    response: bytes
    feature_age_ms: int | None
    """Age of the newest listen that the answer's features know, None where there is none."""
    answer: Answer


def to_decision(request: bytes, answer: Answer) -> Decision:
    """An answer made ready for its caller and the log. Its response is what protobuf would write, byte for byte."""
    question, reason, facts, propensity, model_version, decided_at_ms, *_ = answer
    score, listener, identity = facts.score, facts.listener, decision_id(question).encode()
    age_ms = None
    if listener is not None and listener.newest_listen_ms is not None:
        age_ms = max(0, decided_at_ms - listener.newest_listen_ms)
    verdict, campaign, certainty, rung = _shared_of_responses(
        reason, facts.rung, facts.campaign.campaign_id, propensity, facts.assignment.arm, model_version
    )
    response = b"".join(
        (
            verdict,
            _RESPONSE_ID[len(identity)],
            identity,
            campaign,
            b"" if score is None else _score(score),
            certainty,
            b"" if age_ms is None else _age(age_ms),
            rung,
        )
    )
    return new_tuple(Decision, (identity, request, response, age_ms, answer))


def to_response(answer: Answer) -> pb.DecideResponse:
    """The response of an answer as a message, without a token."""
    return pb.DecideResponse.FromString(to_decision(b"", answer).response)


def decision_id(question: Question) -> str:
    """32 hex digits, the same for the same question: a retried call is one decision in the log."""
    identity = _fresh_hash()
    identity.update(f"{question.customer_id}|{question.request_id}".encode())
    return identity.hexdigest()


def to_reply(decision: Decision, tokens: TokenIssuer) -> bytes:
    """What the caller gets: the response, with its outcome token where the offer is shown."""
    answer = decision.answer
    if answer.reason not in SHOWN:
        return decision.response
    question = answer.question
    shown = Shown(
        decision.decision_id.decode(), question.customer_id, question.campaign.campaign_id, answer.decided_at_ms
    )
    return decision.response + _token_field(tokens.issue(shown))


def to_batch_reply(replies: list[bytes]) -> bytes:
    """The serialised `DecideBatchResponse` of serialised responses."""
    return b"".join(map(_response_of_batch, replies))


def to_log(decision: Decision, service_version: str) -> bytes:
    """The serialised `DecisionLogged`: everything that the answer was made from, enough to make it again."""
    identity, request, response, _, answer = decision
    question, _, facts, _, _, decided_at_ms, listener_value, contacts_value, reservation = answer
    if len(request) > LOGGED_AS_SENT_BYTES:
        request = _known_of(request)
    vector = b"" if facts.listener is None else facts.listener.vector
    line = b"".join(
        (
            _shared_of_lines(
                decided_at_ms,
                facts.model_threshold,
                question.campaigns_version,
                facts.budget,
                reservation,
                service_version,
            ),
            _LINE_ID[len(identity)],
            identity,
            _REQUEST[len(request)],
            request,
            _RESPONSE[len(response)],
            response,
            _LISTENER[len(listener_value)],
            listener_value,
            _FEATURES[len(vector)],
            vector,
        )
    )
    if not contacts_value:
        return line
    counted = _contacts_as_counted(facts.contact_times, decided_at_ms)
    return b"".join((line, _CONTACTS[len(contacts_value)], contacts_value, counted))


@functools.lru_cache(maxsize=512)
def _shared_of_responses(
    reason: Reason, rung: Rung, campaign_id: str, propensity: float, arm: str, model_version: str
) -> tuple[bytes, bytes, bytes, bytes]:
    """The fields that many responses have in common: those before the decision's id, between it and the score, between that and
    the age, and behind the age."""
    parts = (
        pb.DecideResponse(show=reason in SHOWN, reason=cast(pb.Reason, reason)),
        pb.DecideResponse(campaign_id=campaign_id),
        pb.DecideResponse(propensity=propensity, arm=arm, model_version=model_version),
        pb.DecideResponse(rung=cast(pb.Rung, rung), degraded=rung is not Rung.FULL),
    )
    before, between, behind_score, behind_age = (part.SerializeToString() for part in parts)
    return before, between, behind_score, behind_age


@functools.lru_cache(maxsize=64)
def _shared_of_lines(
    decided_at_ms: int,
    model_threshold: float | None,
    campaigns_version: str,
    budget: BudgetState,
    reservation: ReservationState,
    service_version: str,
) -> bytes:
    """The fields that nearly all log lines of a batch have in common."""
    return pb.DecisionLogged(
        decided_at_ms=decided_at_ms,
        schema_version=SCHEMA_VERSION,
        threshold=model_threshold or 0.0,
        service_version=service_version,
        campaigns_version=campaigns_version,
        budget=cast(pb.BudgetState, budget),
        reservation=cast(pb.ReservationState, reservation),
    ).SerializeToString()


def _contacts_as_counted(contact_times: tuple[int, ...], now_ms: int) -> bytes:
    if not contact_times:
        return b""
    return pb.DecisionLogged(
        contacts_in_period=sum(at_ms > now_ms - DAY_MS for at_ms in contact_times),
        since_last_contact_ms=max(0, now_ms - max(contact_times)),
    ).SerializeToString()


def _known_of(request: bytes) -> bytes:
    known = pb.DecideRequest.FromString(request)
    known.DiscardUnknownFields()
    return known.SerializeToString()
