"""Redis or Kafka away: every call is answered, in time, with "no ad" where it must be."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from devstack.faulty_proxy import Fault, always
from devstack.stack import Part, Stack
from interlude.events.topics import Topic
from interlude.v1 import decision_pb2 as pb
from tests.integration.decision_scene import (
    FRONTS,
    UNHURRIED,
    DecisionScene,
    LightLoad,
    read_topic,
    running,
    until,
)
from tests.integration.proxied_scene import behind_a_proxy

_DEADLINE_S = 0.05
_CALLS = 40
_ROUNDS = 5


@pytest.fixture(params=FRONTS)
def front(request: pytest.FixtureRequest) -> str:
    """Each gRPC server in turn."""
    return str(request.param)


@contextmanager
def _scene_on_own_redis(stack: Stack, directory: Path, front: str) -> Iterator[tuple[DecisionScene, Stack]]:
    with Stack.start({Part.REDIS}) as own, running(stack, directory, redis_url=own.redis, front=front) as scene:
        yield scene, own


def _ask_round(scene: DecisionScene, customer_id: int) -> list[pb.DecideResponse] | None:
    """Answers to calls with the usual deadline of a player, None when one was late."""
    try:
        return [scene.decide(customer_id, timeout_s=_DEADLINE_S) for _ in range(_CALLS)]
    except grpc.RpcError:
        return None


def _ask_in_time(scene: DecisionScene, customer_id: int) -> list[pb.DecideResponse]:
    """The first round without a late call: a stall of a busy machine is over by the next, one of ours would come again."""
    for _ in range(_ROUNDS):
        answers = _ask_round(scene, customer_id)
        if answers is not None:
            return answers
    raise AssertionError(f"a call was late in each of {_ROUNDS} rounds")


def _is_degraded(answers: list[pb.DecideResponse]) -> bool:
    return {(answer.show, answer.reason, answer.rung, answer.degraded) for answer in answers} == {
        (False, pb.REASON_UNAVAILABLE, pb.RUNG_NO_FEATURES, True)
    }


def _is_answered_again(scene: DecisionScene) -> bool:
    """Whether a listener is shown the offer; one on Redis as it is now."""
    return scene.decide(scene.new_listener()).show


def test_a_paused_redis_makes_answers_degraded_and_not_late(stack: Stack, tmp_path: Path, front: str) -> None:
    with _scene_on_own_redis(stack, tmp_path, front) as (scene, own):
        customer_id = scene.new_listener()
        until(lambda: _is_answered_again(scene), "nothing was ever shown")
        own.pause(Part.REDIS)
        assert _is_degraded(_ask_in_time(scene, customer_id))
        own.resume(Part.REDIS)
        until(lambda: _is_answered_again(scene), "Redis is back and nothing is shown")
        assert scene.sample("interlude_decision_internal_errors_total") == 0


def test_a_killed_redis_makes_answers_degraded_and_not_late(stack: Stack, tmp_path: Path, front: str) -> None:
    with _scene_on_own_redis(stack, tmp_path, front) as (scene, own):
        customer_id = scene.new_listener()
        until(lambda: _is_answered_again(scene), "nothing was ever shown")
        own.kill(Part.REDIS)
        assert _is_degraded(_ask_in_time(scene, customer_id))
        own.restart(Part.REDIS)
        until(lambda: _is_answered_again(scene), "Redis is back and nothing is shown")
        assert scene.sample("interlude_decision_internal_errors_total") == 0


def test_a_bad_way_to_redis_makes_answers_degraded_and_not_late(stack: Stack, tmp_path: Path, front: str) -> None:
    with behind_a_proxy(stack, tmp_path, front) as (scene, proxy):
        customer_id = scene.new_listener()
        for fault in (Fault.SLOW, Fault.RESET, Fault.SWALLOWED):
            until(lambda: _is_answered_again(scene), f"nothing is shown before {fault}")
            proxy.choice = always(fault)
            until(lambda: scene.decide(customer_id).degraded, f"{fault} is not noticed")
            assert _is_degraded(_ask_in_time(scene, customer_id))
            proxy.choice = always(Fault.NONE)
        until(lambda: _is_answered_again(scene), "the way is good again and nothing is shown")
        assert scene.sample("interlude_decision_internal_errors_total") == 0


def test_the_service_starts_and_answers_without_redis(stack: Stack, tmp_path: Path) -> None:
    with Stack.start({Part.REDIS}) as own:
        own.kill(Part.REDIS)
        with running(stack, tmp_path, redis_url=own.redis) as scene:
            answer = scene.decide(1)
            assert (answer.show, answer.reason, answer.degraded) == (False, pb.REASON_UNAVAILABLE, True)
            own.restart(Part.REDIS)
            until(lambda: _is_answered_again(scene), "Redis came and nothing is shown")


def test_a_caller_with_no_time_left_is_told_so_in_time(stack: Stack, tmp_path: Path) -> None:
    reserve_all = {"DECISION_DEADLINE_RESERVE_MS": "1000"}
    with running(stack, tmp_path, settings=reserve_all) as scene:
        answer = scene.decide(scene.new_listener(), timeout_s=0.9)
        assert (answer.show, answer.rung, answer.degraded) == (False, pb.RUNG_NO_TIME, True)


def test_a_paused_kafka_changes_no_answer_and_loses_no_decision(stack: Stack, tmp_path: Path) -> None:
    with running(stack, tmp_path, settings=UNHURRIED) as scene:
        until(lambda: _is_answered_again(scene), "nothing was ever shown")
        customers = [scene.new_listener() for _ in range(30)]
        stack.pause(Part.KAFKA)
        try:
            answers = [scene.decide(customer_id) for customer_id in customers]
            assert _ask_in_time(scene, customers[0])
        finally:
            stack.resume(Part.KAFKA)
        assert all(answer.show and not answer.degraded for answer in answers)
        keys = {b"%d" % customer_id for customer_id in customers[1:]}
        assert len(read_topic(stack.kafka, Topic.DECISIONS, lambda record: record.key() in keys, 29)) == 29


def test_more_calls_than_allowed_are_shed_and_the_others_answered(stack: Stack, tmp_path: Path, front: str) -> None:
    narrow = {**UNHURRIED, "DECISION_CONCURRENT_CALLS": "1"}
    with (
        running(stack, tmp_path, front=front, settings=narrow) as scene,
        LightLoad(scene, callers=8) as load,
    ):
        until(lambda: load.ends["RESOURCE_EXHAUSTED"] > 50, "nothing was shed")
        answered = load.ends["OK"]
        until(lambda: load.ends["OK"] > answered + 50, "nothing is answered any more")
        assert scene.sample("interlude_decision_front_refused_total") > 50
        assert scene.sample("interlude_decision_front_ended_total", end="answered") > 50
    assert set(load.ends) == {"OK", "RESOURCE_EXHAUSTED"}
