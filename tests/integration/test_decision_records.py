"""What the decision service writes to Kafka: every decision once, and what was reported."""

import base64
import secrets
from collections.abc import Callable, Iterator
from functools import cache

import grpc
import pytest
from confluent_kafka import Message

from devstack.stack import Stack
from interlude.contacts.campaign import DEFAULT_CAMPAIGNS, Campaigns
from interlude.events.topics import PARTITIONER, Topic
from interlude.features.codec import hot_key
from interlude.features.schema import SCHEMA_VERSION
from interlude.models.scorer import load_scorer
from interlude.servicekit.producing import RecordProducer
from interlude.v1 import decision_pb2 as pb
from interlude.v1 import events_pb2
from services.decision.champion import Serving
from services.decision.replay import differences, replay
from services.decision.tokens import VALID_MS, Shown, TokenIssuer
from tests.integration.decision_scene import (
    PATIENT_S,
    UNHURRIED,
    DecisionScene,
    read_topic,
    refusal,
    running,
    value_of,
)
from tests.listeners import VECTOR
from tests.models import KEYS

_CLICK = events_pb2.AD_EVENT_KIND_CLICK


@pytest.fixture(scope="module")
def scene(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DecisionScene]:
    """One service for all tests of this file; each uses customers of its own."""
    with running(stack, tmp_path_factory.mktemp("decision"), settings=UNHURRIED) as running_scene:
        yield running_scene


def _about(*customer_ids: int) -> Callable[[Message], bool]:
    keys = {b"%d" % customer_id for customer_id in customer_ids}
    return lambda record: record.key() in keys


def _report(scene: DecisionScene, token: bytes, kind: int = _CLICK, at_ms: int = 0) -> str:
    request = pb.ReportOutcomeRequest(outcome_token=token, kind=kind, at_ms=at_ms)  # type: ignore[arg-type]
    return scene.stub.ReportOutcome(request, timeout=PATIENT_S).event_id


def _partition(scene: DecisionScene, customer_id: int) -> int | None:
    """Where any producer of ours puts that customer's records; asked on a topic that nobody here reads."""
    producer = RecordProducer(scene.stack.kafka, client_id="test", partitioner=PARTITIONER)
    producer.send(Topic.INTERESTS, b"%d" % customer_id, b"")
    producer.flush(PATIENT_S)
    return read_topic(scene.stack.kafka, Topic.INTERESTS, _about(customer_id), 1)[0].partition()


def test_every_decision_is_logged_once_with_what_it_was_made_from(scene: DecisionScene) -> None:
    customers = [scene.new_listener() for _ in range(20)]
    answers = {customer_id: scene.decide(customer_id, next_track_id=77) for customer_id in customers}
    records = read_topic(scene.stack.kafka, Topic.DECISIONS, _about(*customers), len(customers))
    logged = [pb.DecisionLogged.FromString(value_of(record)) for record in records]
    assert sorted(line.decision_id for line in logged) == sorted(answer.decision_id for answer in answers.values())
    for line in logged:
        answer = answers[line.request.customer_id]
        assert line.request.next_track_id == 77
        assert tuple(line.features) == VECTOR
        assert (line.schema_version, line.threshold) == (SCHEMA_VERSION, 0.5)
        assert line.response.score == answer.score
        assert line.response.outcome_token == b""
        answer.ClearField("outcome_token")
        assert line.response == answer
        assert (line.contacts_in_period, line.HasField("since_last_contact_ms")) == (0, False)
        assert line.listener == scene.redis.get(hot_key(line.request.customer_id))
        assert (line.contacts, line.budget) == (b"", pb.BUDGET_STATE_OPEN)
        assert line.reservation == pb.RESERVATION_STATE_RESERVED
        assert line.campaigns_version == DEFAULT_CAMPAIGNS.version


def test_a_logged_decision_carries_its_contacts_and_cloud_event_headers(scene: DecisionScene) -> None:
    customer_id = scene.new_listener()
    first, second = (scene.decide(customer_id) for _ in range(2))
    records = read_topic(scene.stack.kafka, Topic.DECISIONS, _about(customer_id), 2)
    lines = {line.decision_id: line for line in (pb.DecisionLogged.FromString(value_of(record)) for record in records)}
    assert lines[second.decision_id].contacts_in_period == 1
    assert lines[second.decision_id].since_last_contact_ms >= 0
    headers = dict(records[0].headers() or [])
    assert headers["content-type"] == b"application/x-protobuf"
    assert headers["ce_type"] == b"interlude.v1.DecisionLogged"
    assert headers["ce_id"] == first.decision_id.encode()


def test_explaining_logs_nothing(scene: DecisionScene) -> None:
    customer_id = scene.new_listener()
    scene.stub.Explain(pb.ExplainRequest(customer_id=customer_id), timeout=PATIENT_S)
    scene.decide(customer_id)
    assert len(read_topic(scene.stack.kafka, Topic.DECISIONS, _about(customer_id), 1)) == 1


def test_a_report_is_an_ad_event_in_its_customers_partition(scene: DecisionScene) -> None:
    customer_id = scene.new_listener()
    answer = scene.decide(customer_id)
    event_id = _report(scene, answer.outcome_token)
    record = read_topic(scene.stack.kafka, Topic.AD_EVENTS, _about(customer_id), 1)[0]
    event = events_pb2.AdEvent.FromString(value_of(record))
    assert (event.event_id, event.decision_id) == (event_id, answer.decision_id)
    assert event_id == f"{answer.decision_id}/AD_EVENT_KIND_CLICK"
    assert (event.customer_id, event.kind, event.channel) == (customer_id, _CLICK, events_pb2.CHANNEL_PLAYER)
    assert event.campaign_id == DEFAULT_CAMPAIGNS.default.campaign_id
    assert record.partition() == _partition(scene, customer_id)
    assert scene.sample("interlude_decision_outcomes_total", kind="AD_EVENT_KIND_CLICK") >= 1


def test_a_token_used_again_is_the_same_event_and_another_kind_is_another(scene: DecisionScene) -> None:
    token = scene.decide(scene.new_listener()).outcome_token
    assert _report(scene, token) == _report(scene, token)
    assert _report(scene, token) != _report(scene, token, events_pb2.AD_EVENT_KIND_IMPRESSION)


def test_a_report_made_again_is_answered_alike_and_not_written_again(scene: DecisionScene) -> None:
    customer_id = scene.new_listener()
    token = scene.decide(customer_id).outcome_token
    before = scene.sample("interlude_decision_repeated_outcomes_total")
    assert len({_report(scene, token) for _ in range(3)}) == 1
    impression = _report(scene, token, events_pb2.AD_EVENT_KIND_IMPRESSION)
    records = read_topic(scene.stack.kafka, Topic.AD_EVENTS, _about(customer_id), 2)
    events = [events_pb2.AdEvent.FromString(value_of(record)) for record in records]
    assert sorted(event.kind for event in events) == [events_pb2.AD_EVENT_KIND_IMPRESSION, _CLICK]
    assert impression in {event.event_id for event in events}
    assert scene.sample("interlude_decision_repeated_outcomes_total") == before + 2


def test_decisions_replay_bit_for_bit_from_what_is_in_kafka_and_in_the_model_store(scene: DecisionScene) -> None:
    customers = [scene.new_listener() for _ in range(5)] + [secrets.randbits(63)]
    for customer_id in [*customers, *customers]:  # the second time they have been contacted
        scene.decide(customer_id, next_track_id=7)
    records = read_topic(scene.stack.kafka, Topic.DECISIONS, _about(*customers), 12)
    lines = [pb.DecisionLogged.FromString(value_of(record)) for record in records]
    assert {line.response.reason for line in lines} == {
        pb.REASON_SHOW,
        pb.REASON_MINIMUM_GAP,
        pb.REASON_UNKNOWN_CUSTOMER,
    }
    for line in lines:
        again = replay(line, lambda version: _campaigns(scene, version), lambda version: _serving(scene, version))
        assert differences(line.response, again) == []
        assert again.SerializeToString() == line.response.SerializeToString()


@cache
def _campaigns(scene: DecisionScene, version: str) -> Campaigns:
    record = read_topic(scene.stack.kafka, Topic.CAMPAIGNS, lambda record: record.key() == version.encode(), 1)[0]
    campaigns = Campaigns.model_validate_json(value_of(record))
    assert campaigns.version == version
    return campaigns


@cache
def _serving(scene: DecisionScene, version: str) -> Serving:
    stored = scene.store.load(version, KEYS.model_public_key)
    return Serving(version, load_scorer(stored), stored.manifest.threshold)


def _issued(scene: DecisionScene, *, ago_ms: int, key: bytes) -> bytes:
    answer = scene.decide(scene.new_listener())
    record = read_topic(
        scene.stack.kafka, Topic.DECISIONS, lambda record: answer.decision_id.encode() in value_of(record), 1
    )[0]
    decided_at_ms = pb.DecisionLogged.FromString(value_of(record)).decided_at_ms
    return TokenIssuer(key).issue(Shown(answer.decision_id, 5, answer.campaign_id, decided_at_ms - ago_ms))


def _token_refusal(scene: DecisionScene, token: bytes) -> str:
    error = refusal(lambda: _report(scene, token))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith("outcome_token ")
    return error.details()


def test_an_expired_token_is_refused(scene: DecisionScene) -> None:
    key = base64.b64decode(KEYS.token_key)
    assert _report(scene, _issued(scene, ago_ms=VALID_MS - 3_600_000, key=key))
    assert "expired" in _token_refusal(scene, _issued(scene, ago_ms=VALID_MS + 60_000, key=key))


def test_a_forged_token_is_refused(scene: DecisionScene) -> None:
    before = scene.sample("interlude_decision_refused_tokens_total", cause="forged")
    assert "not issued" in _token_refusal(scene, _issued(scene, ago_ms=0, key=secrets.token_bytes(32)))
    token = scene.decide(scene.new_listener()).outcome_token
    assert "not issued" in _token_refusal(scene, token[:-1] + bytes([token[-1] ^ 1]))
    _token_refusal(scene, b"")
    assert scene.sample("interlude_decision_refused_tokens_total", cause="forged") == before + 3


@pytest.mark.parametrize(
    ("kind", "at_ms", "field"), [(0, 0, "kind"), (9, 0, "kind"), (2, 1, "at_ms"), (2, -1, "at_ms")]
)
def test_a_wrong_field_of_a_report_is_named(scene: DecisionScene, kind: int, at_ms: int, field: str) -> None:
    token = scene.decide(scene.new_listener()).outcome_token
    error = refusal(lambda: _report(scene, token, kind, at_ms))
    assert (error.code(), error.details().split()[0]) == (grpc.StatusCode.INVALID_ARGUMENT, field)
