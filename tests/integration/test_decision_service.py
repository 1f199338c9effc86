"""The decision service as a process: what it answers, over gRPC, on real Redis."""

import random
import secrets
from collections.abc import Iterator
from typing import Any, cast

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from devstack.stack import Stack
from interlude.contacts.ledger import contacts_key, decode_contacts
from interlude.features.codec import hot_key
from interlude.features.schema import STATE_FEATURE_NAMES
from interlude.features.state import Level
from interlude.v1 import decision_pb2 as pb
from tests.integration.decision_scene import FRONTS, PATIENT_S, UNHURRIED, DecisionScene, refusal, running
from tests.listeners import NEWEST_LISTEN_MS, VECTOR, hot_features, profile
from tests.models import STINGY, ModelSpec

_SERVICE = "interlude.v1.DecisionService"
_METHODS = ("Decide", "DecideBatch", "Explain", "ReportOutcome")


@pytest.fixture(scope="module", params=FRONTS)
def scene(
    request: pytest.FixtureRequest, stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DecisionScene]:
    """One service per front for all tests of this file; each uses customers of its own."""
    directory = tmp_path_factory.mktemp("decision")
    with running(stack, directory, front=request.param, settings=UNHURRIED) as running_scene:
        yield running_scene


def _contacts(scene: DecisionScene, customer_id: int) -> int:
    value = scene.redis.get(contacts_key(customer_id))
    assert not isinstance(value, str)
    return len(decode_contacts(value))


def _raw(scene: DecisionScene, method: str, body: bytes) -> grpc.StatusCode:
    call = scene.channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
    try:
        return call.with_call(body, timeout=PATIENT_S)[1].code()
    except grpc.RpcError as error:
        return cast(grpc.Call, error).code()


@pytest.mark.parametrize("service", ["", _SERVICE])
def test_health_says_serving(scene: DecisionScene, service: str) -> None:
    answer = health_pb2_grpc.HealthStub(scene.channel).Check(
        health_pb2.HealthCheckRequest(service=service), timeout=PATIENT_S
    )
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_health_of_another_service_is_not_known(scene: DecisionScene) -> None:
    check = health_pb2_grpc.HealthStub(scene.channel).Check
    request = health_pb2.HealthCheckRequest(service="another")
    assert refusal(lambda: check(request, timeout=PATIENT_S)).code() is grpc.StatusCode.NOT_FOUND


def test_reflection_describes_the_service(scene: DecisionScene) -> None:
    database = ProtoReflectionDescriptorDatabase(scene.channel)
    assert _SERVICE in database.get_services()
    methods = DescriptorPool(database).FindServiceByName(_SERVICE).methods
    assert [method.name for method in methods] == list(_METHODS)


def test_the_offer_is_shown_and_the_next_call_sees_the_contact(scene: DecisionScene) -> None:
    customer_id = scene.new_listener()
    shown = scene.decide(customer_id)
    assert (shown.show, shown.reason, shown.rung, shown.degraded) == (True, pb.REASON_SHOW, pb.RUNG_FULL, False)
    assert shown.score == pytest.approx(ModelSpec().probabilities([VECTOR])[0], abs=1e-6)
    assert (shown.propensity, shown.campaign_id, len(shown.decision_id)) == (1.0, "premium-day", 32)
    champion = scene.store.champion()
    assert champion is not None
    assert shown.model_version == champion.version
    assert shown.feature_age_ms > 0
    assert shown.outcome_token
    assert _contacts(scene, customer_id) == 1
    second = scene.decide(customer_id)
    assert (second.show, second.reason, second.outcome_token) == (False, pb.REASON_MINIMUM_GAP, b"")


def test_a_retried_question_has_the_same_answer_and_one_contact(scene: DecisionScene) -> None:
    customer_id = scene.new_listener()
    answers = [scene.decide(customer_id, request_id="again") for _ in range(3)]
    assert {(answer.show, answer.decision_id) for answer in answers} == {(True, answers[0].decision_id)}
    assert _contacts(scene, customer_id) == 1


def test_an_unknown_customer_is_an_answer(scene: DecisionScene) -> None:
    answer = scene.decide(secrets.randbits(63))
    assert (answer.show, answer.reason, answer.degraded) == (False, pb.REASON_UNKNOWN_CUSTOMER, False)
    assert not answer.HasField("score")
    assert not answer.HasField("feature_age_ms")


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (profile(level=Level.GOLD), pb.REASON_LEVEL),
        (profile(active=False), pb.REASON_INACTIVE),
        (profile(consent_player_offers=False), pb.REASON_NO_CONSENT),
    ],
)
def test_a_profile_that_forbids_the_offer_is_respected(scene: DecisionScene, known: Any, reason: int) -> None:
    customer_id = scene.new_listener(hot_features(known))
    assert scene.decide(customer_id).reason == reason
    assert _contacts(scene, customer_id) == 0


def test_values_in_redis_that_do_not_decode_are_no_errors(scene: DecisionScene) -> None:
    before = scene.sample("interlude_decision_corrupt_features_total")
    garbage, damaged = scene.new_listener(b"garbage"), scene.new_listener()
    scene.redis.set(contacts_key(damaged), b"not rows")
    assert scene.decide(garbage).reason == pb.REASON_UNKNOWN_CUSTOMER
    answer = scene.decide(damaged)
    assert (answer.show, answer.reason, answer.rung) == (False, pb.REASON_UNAVAILABLE, pb.RUNG_NO_RESERVATION)
    assert scene.sample("interlude_decision_corrupt_features_total") == before + 2
    wrong_type = scene.new_listener()
    scene.redis.lpush(contacts_key(wrong_type), "a list")
    assert not scene.decide(wrong_type).show


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"request_id": ""}, "request_id"),
        ({"request_id": "x" * 65}, "request_id"),
        ({"request_id": "ü"}, "request_id"),
        ({"customer_id": -1}, "customer_id"),
        ({"next_track_id": -(2**63)}, "next_track_id"),
        ({"device": 9}, "device"),
        ({"campaign_id": "unknown"}, "campaign_id"),
    ],
)
def test_a_wrong_field_is_named(scene: DecisionScene, fields: dict[str, Any], field: str) -> None:
    before = scene.sample("interlude_decision_refused_requests_total", method="Decide", field=field)
    error = refusal(lambda: scene.decide(**{"customer_id": 1, **fields}))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith(f"{field} ")
    assert scene.sample("interlude_decision_refused_requests_total", method="Decide", field=field) == before + 1


def test_a_full_batch_is_answered_in_order_as_each_would_be_alone(scene: DecisionScene) -> None:
    gold = scene.new_listener(hot_features(profile(level=Level.GOLD)))
    customers = [scene.new_listener() if place % 2 else gold for place in range(256)]
    requests = [
        pb.DecideRequest(request_id=f"b{place}", customer_id=customer) for place, customer in enumerate(customers)
    ]
    responses = scene.stub.DecideBatch(pb.DecideBatchRequest(requests=requests), timeout=PATIENT_S).responses
    expected = [pb.REASON_SHOW if place % 2 else pb.REASON_LEVEL for place in range(256)]
    assert [response.reason for response in responses] == expected
    # Asking again one by one repeats the same questions.
    again = [scene.stub.Decide(request, timeout=PATIENT_S) for request in requests[:20]]
    assert [answer.decision_id for answer in again] == [answer.decision_id for answer in responses[:20]]
    assert [answer.show for answer in again] == [answer.show for answer in responses[:20]]


@pytest.mark.parametrize("count", [0, 257])
def test_an_empty_or_too_long_batch_is_refused(scene: DecisionScene, count: int) -> None:
    batch = pb.DecideBatchRequest(requests=[pb.DecideRequest(request_id="r")] * count)
    error = refusal(lambda: scene.stub.DecideBatch(batch, timeout=PATIENT_S))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith(f"requests has {count} entries")


def test_a_wrong_entry_of_a_batch_is_named_and_nothing_of_it_is_reserved(scene: DecisionScene) -> None:
    customer_id = scene.new_listener()
    requests = [
        pb.DecideRequest(request_id="fine", customer_id=customer_id),
        pb.DecideRequest(request_id="wrong", customer_id=-5),
    ]
    error = refusal(lambda: scene.stub.DecideBatch(pb.DecideBatchRequest(requests=requests), timeout=PATIENT_S))
    assert error.details().startswith("requests[1].customer_id is -5")
    assert _contacts(scene, customer_id) == 0


def test_explain_shows_every_rule_and_reserves_nothing(scene: DecisionScene) -> None:
    customer_id = scene.new_listener()
    explained = scene.stub.Explain(pb.ExplainRequest(customer_id=customer_id), timeout=PATIENT_S)
    assert (explained.answer.show, explained.answer.outcome_token, explained.answer.decision_id) == (True, b"", "")
    assert not any(rule.matched for rule in explained.rules)
    assert {feature.name: feature.value for feature in explained.features} == dict(
        zip(STATE_FEATURE_NAMES, VECTOR, strict=True)
    )
    assert {feature.unit for feature in explained.features} == {"share"}
    assert _contacts(scene, customer_id) == 0
    scene.decide(customer_id)
    again = scene.stub.Explain(pb.ExplainRequest(customer_id=customer_id), timeout=PATIENT_S)
    matched = [rule for rule in again.rules if rule.matched]
    assert [(rule.reason, rule.to_change) for rule in matched] == [(pb.REASON_MINIMUM_GAP, "wait 20 min")]
    assert again.answer.reason == pb.REASON_MINIMUM_GAP


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.ExplainRequest(customer_id=-1), "customer_id"),
        (pb.ExplainRequest(customer_id=1, campaign_id="unknown"), "campaign_id"),
    ],
)
def test_explain_names_the_wrong_field(scene: DecisionScene, request_: pb.ExplainRequest, field: str) -> None:
    error = refusal(lambda: scene.stub.Explain(request_, timeout=PATIENT_S))
    assert (error.code(), error.details().split()[0]) == (grpc.StatusCode.INVALID_ARGUMENT, field)


def test_an_unknown_method_or_service_is_not_implemented(scene: DecisionScene) -> None:
    for method in (f"/{_SERVICE}/Guess", "/interlude.v2.DecisionService/Decide", "/x"):
        assert _raw(scene, method, b"") is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("method", _METHODS)
def test_random_bytes_are_the_callers_fault(scene: DecisionScene, method: str) -> None:
    source = random.Random(method)
    bodies = [b"\xff" * 5, b"", *(source.randbytes(source.randrange(1, 200)) for _ in range(40))]
    codes = {_raw(scene, f"/{_SERVICE}/{method}", body) for body in bodies}
    # A few of them make sense: the empty body asks Explain about customer 0.
    assert {grpc.StatusCode.INVALID_ARGUMENT} <= codes <= {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OK}
    assert scene.sample("interlude_decision_internal_errors_total") == 0


def test_a_body_beyond_the_limit_is_refused(scene: DecisionScene) -> None:
    assert _raw(scene, f"/{_SERVICE}/Decide", bytes(300 * 1024)) is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_call_without_a_deadline_is_answered(scene: DecisionScene) -> None:
    request = pb.DecideRequest(request_id="no-deadline", customer_id=scene.new_listener())
    assert scene.stub.Decide(request).show


def test_a_listen_ahead_of_the_clock_is_no_negative_age(scene: DecisionScene) -> None:
    customer_id = scene.new_listener(hot_features(newest_listen_ms=NEWEST_LISTEN_MS * 2))
    assert scene.decide(customer_id).feature_age_ms == 0


def test_metrics_count_what_was_answered(scene: DecisionScene) -> None:
    labels = {"reason": "show", "rung": "full"}
    before = scene.sample("interlude_decision_answers_total", **labels)
    timed = scene.sample("interlude_decision_seconds_count", method="Decide")
    scene.decide(scene.new_listener())
    assert scene.sample("interlude_decision_answers_total", **labels) == before + 1
    assert scene.sample("interlude_decision_seconds_count", method="Decide") == timed + 1
    assert scene.sample("interlude_decision_calls_in_progress") == 0


def test_below_the_threshold_nothing_is_shown(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(stack, tmp_path_factory.mktemp("stingy"), model=ModelSpec(STINGY), settings=UNHURRIED) as stingy:
        customer_id = stingy.new_listener()
        answer = stingy.decide(customer_id)
        assert (answer.show, answer.reason) == (False, pb.REASON_LOW_SCORE)
        assert answer.score < 0.5
        assert stingy.redis.get(hot_key(customer_id)) is not None
        assert _contacts(stingy, customer_id) == 0
