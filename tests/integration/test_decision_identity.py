"""Nobody is ever answered with what is known of somebody else: not when callers go away in the middle, not when they have no
time, not when Redis answers late or its connections break."""

import base64
import random
import time
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, cast

import grpc
import pytest

from devstack.faulty_proxy import now_and_then
from devstack.stack import Stack
from interlude.features.codec import encode_hot, hot_key
from interlude.features.fold import fold
from interlude.features.schema import STATE_FEATURE_NAMES
from interlude.features.state import Level, Listen, ListenerState
from interlude.v1 import decision_pb2 as pb
from interlude.v1 import decision_pb2_grpc
from services.decision.tokens import TokenIssuer
from tests.integration.decision_scene import FRONTS, DecisionScene, until
from tests.integration.proxied_scene import behind_a_proxy
from tests.listeners import NEWEST_LISTEN_MS, profile
from tests.models import KEYS, ModelSpec, promote

_CALLS: Final = 10_000
_CALLERS: Final = 4
_IN_FLIGHT: Final = 8
_DEADLINES_S: Final = (0.001, 0.004, 0.02, 0.1, 0.5)
_CANCELLED: Final = 0.1
_ENOUGH: Final = 200
"""Full answers without which nothing was tried; thousands where the machine has time."""
_MOST_LISTENS: Final = 16
_SPEC: Final = ModelSpec(0.0, tuple(3.0 if name == "mobile" else 0.0 for name in STATE_FEATURE_NAMES))
"""The score says which share of the listens was mobile, and that says who it is."""
_TOKENS: Final = TokenIssuer(base64.b64decode(KEYS.token_key))
_ALLOWED: Final = {"full", "degraded", "DEADLINE_EXCEEDED", "CANCELLED", "RESOURCE_EXHAUSTED"}
_GOLD: Final = {pb.REASON_LEVEL}
_FREE: Final = {pb.REASON_SHOW, pb.REASON_MINIMUM_GAP, pb.REASON_FREQUENCY_CAP}


@dataclass(frozen=True, slots=True)
class _Customer:
    """A listener of whom no other has the share, or the reasons of those next to them."""

    customer_id: int
    mobile: int
    listens: int
    gold: bool

    @property
    def value(self) -> bytes:
        """What Redis knows."""
        state = fold(ListenerState(), profile(level=Level.GOLD if self.gold else Level.FREE)).state
        for place in range(self.listens):
            state = fold(state, Listen(NEWEST_LISTEN_MS - place, place, 7, place < self.mobile, 0)).state
        return encode_hot(state)

    @property
    def score(self) -> float:
        """What the model says of them, by the formula."""
        share = self.mobile / self.listens
        return _SPEC.probabilities([[share if name == "mobile" else 0.0 for name in STATE_FEATURE_NAMES]])[0]

    def end(self, answer: pb.DecideResponse) -> str:
        """How the call ended, or what in the answer is not theirs."""
        if answer.HasField("score") and abs(answer.score - self.score) > 1e-5:
            return f"score {answer.score} for {self}"
        if answer.outcome_token and _TOKENS.check(answer.outcome_token, _now_ms()).customer_id != self.customer_id:
            return f"token of another for {self}"
        if answer.degraded:
            return "degraded"
        reasons = _GOLD if self.gold else _FREE
        return "full" if answer.HasField("score") and answer.reason in reasons else f"{answer.reason} for {self}"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _customers() -> list[_Customer]:
    shares = sorted({Fraction(mobile, of) for of in range(1, _MOST_LISTENS + 1) for mobile in range(of + 1)})
    return [
        _Customer(1_000 + place, share.numerator, share.denominator, gold=bool(place % 2))
        for place, share in enumerate(shares)
    ]


def _end(customer: _Customer, call: Any) -> str:
    try:
        return customer.end(call.result())
    except grpc.RpcError as error:
        return cast(grpc.Call, error).code().name
    except grpc.FutureCancelledError:
        return "CANCELLED"


def _ask(target: str, seed: int, customers: list[_Customer]) -> Counter[str]:
    """A caller with several questions under way, of which some are given up."""
    source, pending, ends = random.Random(seed), deque[tuple[_Customer, Any]](), Counter[str]()
    with grpc.insecure_channel(target, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        decide = decision_pb2_grpc.DecisionServiceStub(channel).Decide
        for number in range(_CALLS // _CALLERS):
            customer = source.choice(customers)
            question = pb.DecideRequest(request_id=f"{seed}-{number}", customer_id=customer.customer_id)
            pending.append((customer, decide.future(question, timeout=source.choice(_DEADLINES_S))))
            if source.random() < _CANCELLED:
                source.choice(pending)[1].cancel()
            if len(pending) == _IN_FLIGHT:
                ends[_end(*pending.popleft())] += 1
        ends.update(_end(*each) for each in pending)
    return ends


def _prepare(scene: DecisionScene) -> list[_Customer]:
    customers = _customers()
    scene.redis.mset({hot_key(each.customer_id): each.value for each in customers})
    version = promote(scene.store, _SPEC)
    until(lambda: scene.decide(customers[0].customer_id).model_version == version, "the model never served")
    return customers


@pytest.mark.parametrize("front", FRONTS)
def test_every_answer_is_that_customers(redis_url: str, stack: Stack, tmp_path: Path, front: str) -> None:
    assert redis_url == stack.redis
    with behind_a_proxy(stack, tmp_path, front) as (scene, proxy):
        customers = _prepare(scene)
        assert len({round(each.score, 4) for each in customers}) == len(customers)
        proxy.choice = now_and_then(7, slow=0.002, reset=0.002)
        with ThreadPoolExecutor(_CALLERS) as pool:
            ends = sum(pool.map(lambda seed: _ask(scene.target, seed, customers), range(_CALLERS)), Counter[str]())
        assert set(ends) <= _ALLOWED, ends
        assert ends["full"] > _ENOUGH, ends
        assert ends.keys() >= {"degraded", "DEADLINE_EXCEEDED", "CANCELLED"}, ends
        assert scene.sample("interlude_decision_internal_errors_total") == 0
