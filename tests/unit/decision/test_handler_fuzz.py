"""Whatever callers send: one reply each, never an error of ours, and nobody's reply changed by somebody else's nonsense."""

import math
from collections.abc import Sequence
from functools import cache
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from interlude.models.scorer import load_scorer
from interlude.models.store import StoredModel
from interlude.servicekit.producing import KafkaHeaders
from interlude.v1 import decision_pb2 as pb
from services.decision.champion import Serving
from services.decision.engine import DecisionEngine
from services.decision.handler import DecisionHandler
from services.decision.journal import Journal
from services.decision.methods import METHODS, Code, Reply, path_of
from services.decision.metrics import DecisionMetrics
from services.decision.outcomes import OutcomeTaker
from services.decision.reserving import Reserver
from services.decision.tokens import Shown, TokenIssuer
from tests.contract.fakes import FakeBudgets, FakeChampion, FakeLedger, FakeListeners, FakeReported
from tests.listeners import hot_features
from tests.models import ModelSpec
from tests.unit.decision.decisions import FakeCampaigns, unwritten_log

_NOW_MS: Final = 1_700_000_000_000
_TOKENS: Final = TokenIssuer(bytes(32))
_KNOWN: Final = range(4)
"""Customers with features; those of 3 do not decode."""


class _Sink:
    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool:
        """Take every record that is whole."""
        return bool(topic and key and value and headers)

    try_send = send


@cache
def _serving() -> Serving:
    spec = ModelSpec()
    return Serving("v", load_scorer(StoredModel("v", spec.manifest, spec.file)), spec.threshold)


def _replies(method: str, bodies: Sequence[bytes], left: Sequence[float] | None = None) -> list[Reply]:
    """What a fresh handler over fakes answers, having logged nothing."""
    features = {customer: hot_features() for customer in _KNOWN} | {_KNOWN[-1]: b"\xff" * 9}
    engine = DecisionEngine(
        FakeListeners(features=features),
        Reserver(FakeLedger(), FakeBudgets()),
        FakeChampion(_serving()),
        now_ms=lambda: _NOW_MS,
        reserve_seconds=0.002,
    )
    metrics = DecisionMetrics()
    outcomes = OutcomeTaker(FakeReported(), Journal(_Sink()), metrics.outcomes)
    handler = DecisionHandler(
        engine, FakeCampaigns(), _TOKENS, unwritten_log(), outcomes, metrics, now_ms=lambda: _NOW_MS
    )
    with capture_logs() as lines:
        replies = handler.handle(path_of(method), bodies, left or [math.inf] * len(bodies))
    assert lines == []
    return replies


def _code(reply: Reply) -> int:
    return 0 if isinstance(reply, bytes) else reply[0]


_INT64: Final = st.integers(-(2**63), 2**63 - 1)
_INT32: Final = st.integers(-(2**31), 2**31 - 1)
_CUSTOMER: Final = st.one_of(st.sampled_from(_KNOWN), _INT64)
_QUESTION: Final = st.builds(
    pb.DecideRequest,
    request_id=st.one_of(st.just("r"), st.text(max_size=70)),
    customer_id=_CUSTOMER,
    next_track_id=_INT64,
    device=st.one_of(st.integers(0, 2), _INT32),
    campaign_id=st.one_of(st.just(""), st.text(max_size=100)),
)
_TOKEN: Final = st.one_of(
    st.binary(max_size=120),
    st.builds(
        lambda shown_at_ms: _TOKENS.issue(Shown("ab" * 16, 1, "premium-day", shown_at_ms)), st.integers(0, 2**63)
    ),
)
_REQUESTS: Final = {
    "Decide": _QUESTION,
    "DecideBatch": st.builds(pb.DecideBatchRequest, requests=st.lists(_QUESTION, max_size=5)),
    "Explain": st.builds(
        pb.ExplainRequest,
        customer_id=_CUSTOMER,
        campaign_id=st.text(max_size=3),
        next_track_id=_INT64,
        request_id=st.text(max_size=70),
    ),
    "ReportOutcome": st.builds(pb.ReportOutcomeRequest, outcome_token=_TOKEN, kind=_INT32, at_ms=_INT64),
}
_CALLS: Final = st.sampled_from(METHODS).flatmap(
    lambda method: st.tuples(
        st.just(method),
        st.lists(
            st.one_of(st.binary(max_size=60), _REQUESTS[method].map(lambda message: message.SerializeToString())),
            max_size=6,
        ),
    )
)


@settings(max_examples=150, deadline=None)
@given(_CALLS, st.lists(st.floats(0, math.inf), min_size=6, max_size=6))
def test_every_call_has_one_reply_and_no_error_is_ours(call: tuple[str, list[bytes]], left: list[float]) -> None:
    method, bodies = call
    replies = _replies(method, bodies, left[: len(bodies)])
    assert len(replies) == len(bodies)
    assert {_code(reply) for reply in replies} <= {0, Code.INVALID_ARGUMENT}


_GOOD: Final = st.builds(
    pb.DecideRequest, request_id=st.text("abc", min_size=1, max_size=2), customer_id=st.sampled_from(_KNOWN)
).map(pb.DecideRequest.SerializeToString)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(_GOOD, min_size=1, max_size=5), st.lists(st.tuples(st.integers(0, 5), st.binary(min_size=1)), max_size=5)
)
def test_nonsense_in_a_batch_changes_nobody_elses_reply(good: list[bytes], noise: list[tuple[int, bytes]]) -> None:
    mixed = [(body, True) for body in good]
    for place, body in noise:
        mixed.insert(place, (b"\xff" + body, False))
    replies = _replies("Decide", [body for body, _ in mixed])
    kept = [reply for reply, (_, is_good) in zip(replies, mixed, strict=True) if is_good]
    assert kept == _replies("Decide", good)
    assert {_code(reply) for reply in kept} == {0}


def test_the_good_ones_are_shown_offers() -> None:
    reply = _replies("Decide", [pb.DecideRequest(request_id="a", customer_id=1).SerializeToString()])[0]
    assert isinstance(reply, bytes)
    assert pb.DecideResponse.FromString(reply).show
