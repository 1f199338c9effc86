"""The clients of player teams before two real services, one of which hangs, goes away or comes back."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from devstack.service import grpc_ready
from devstack.stack import Stack
from interlude.client import Hedging, Outcome
from interlude.contacts.ledger import contacts_key, decode_contacts
from tests.clients import Client, Connect
from tests.integration.decision_scene import UNHURRIED, DecisionScene, running, until

_SLACK_S: Final = 1.5
"""What a busy machine may add to a deadline."""

_PATIENT_MS: Final = 20_000
_EAGER: Final = Hedging(samples_min=20, window=20, share=0.5)
"""Learns quickly, and may ask every second question twice."""


@pytest.fixture(scope="module")
def replicas(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DecisionScene, DecisionScene]]:
    """Two services on one Redis."""
    with (
        running(stack, tmp_path_factory.mktemp("first"), settings=UNHURRIED) as first,
        running(stack, tmp_path_factory.mktemp("second"), settings=UNHURRIED) as second,
    ):
        yield first, second


def _target(*scenes: DecisionScene) -> str:
    return "ipv4:" + ",".join(scene.target for scene in scenes)


@contextmanager
def _paused(scene: DecisionScene) -> Iterator[None]:
    scene.process.pause()
    try:
        yield
    finally:
        scene.process.resume()


def _contacts(scene: DecisionScene, customer_id: int) -> int:
    value: Any = scene.redis.get(contacts_key(customer_id))
    return len(decode_contacts(value))


def _asked(scene: DecisionScene) -> float:
    return scene.sample("interlude_decision_answers_total")


def _reach_both(client: Client, scenes: tuple[DecisionScene, DecisionScene]) -> None:
    """Returns once both are asked in turn."""
    before = [_asked(scene) for scene in scenes]

    def both() -> bool:
        assert client.decide(scenes[0].new_listener()).error == ""
        return all(_asked(scene) > count for scene, count in zip(scenes, before, strict=True))

    until(both, "not all replicas are asked")


def test_questions_go_to_all_replicas(connect: Connect, replicas: tuple[DecisionScene, DecisionScene]) -> None:
    with connect(_target(*replicas), deadline_ms=_PATIENT_MS) as client:
        assert client.warm_up()
        _reach_both(client, replicas)


def test_a_hedged_question_is_answered_while_one_replica_hangs(
    connect: Connect, replicas: tuple[DecisionScene, DecisionScene]
) -> None:
    calls: list[tuple[str, str, float, bool]] = []
    client = connect(
        _target(*replicas), deadline_ms=_PATIENT_MS, hedging=_EAGER, observer=lambda *call: calls.append(call)
    )
    with client:
        _reach_both(client, replicas)
        for _ in range(40):
            assert client.decide(replicas[0].new_listener()).error == ""
        calls.clear()
        with _paused(replicas[1]):
            listeners = [replicas[0].new_listener() for _ in range(8)]
            decisions = [client.decide(listener) for listener in listeners]
        assert [decision.reason for decision in decisions] == ["SHOW"] * len(listeners)
        assert all(status == "OK" for _, status, _, _ in calls)
        assert sum(hedged for *_, hedged in calls) >= 2  # every other question met the one that hangs
        assert max(seconds for _, _, seconds, _ in calls) < _PATIENT_MS / 1000 / 2
        # The paused one has now answered its copies too, and still one impression each is reserved.
        _reach_both(client, replicas)
        assert [_contacts(replicas[0], listener) for listener in listeners] == [1] * len(listeners)
        assert client.report(decisions[0], Outcome.IMPRESSION)


def test_a_question_asked_twice_has_one_answer(connect: Connect, replicas: tuple[DecisionScene, DecisionScene]) -> None:
    listener, request_id = replicas[0].new_listener(), secrets.token_hex(8)
    with connect(_target(*replicas), deadline_ms=_PATIENT_MS) as client:
        answers = [client.decide(listener, request_id=request_id) for _ in range(4)]
    assert {(answer.show, answer.decision_id) for answer in answers} == {(True, answers[0].decision_id)}
    assert _contacts(replicas[0], listener) == 1


def test_a_service_that_hangs_costs_the_deadline_and_no_more(
    connect: Connect, replicas: tuple[DecisionScene, DecisionScene]
) -> None:
    scene = replicas[0]
    listener = scene.new_listener()
    with connect(scene.target, deadline_ms=100) as client:
        assert client.warm_up()
        with _paused(scene):
            started = time.monotonic()
            decision = client.decide(listener)
            assert 0.1 <= time.monotonic() - started < 0.1 + _SLACK_S
        assert (decision.show, decision.error) == (False, "DEADLINE_EXCEEDED")
        until(lambda: client.decide(scene.new_listener()).show, "it is not asked again once it goes on")


def test_a_service_that_goes_away_and_returns_is_found_again(connect: Connect, stack: Stack, tmp_path: Path) -> None:
    with (
        running(stack, tmp_path, settings=UNHURRIED) as scene,
        connect(scene.target, deadline_ms=1000) as client,
    ):
        assert client.warm_up()
        scene.process.kill()
        started = time.monotonic()
        decision = client.decide(scene.new_listener())
        assert time.monotonic() - started < 1 + _SLACK_S
        assert (decision.show, decision.reason, decision.degraded) == (False, "NOT_ASKED", True)
        scene.process.start()
        scene.process.wait_until_ready()
        until(lambda: client.decide(scene.new_listener()).show, "it is not found again")


def test_the_other_replica_answers_for_one_that_goes_away(connect: Connect, stack: Stack, tmp_path: Path) -> None:
    with (
        running(stack, tmp_path / "stays", settings=UNHURRIED) as stays,
        running(stack, tmp_path / "goes", settings=UNHURRIED) as goes,
        connect(_target(stays, goes), deadline_ms=_PATIENT_MS) as client,
    ):
        _reach_both(client, (stays, goes))
        goes.process.kill()
        decisions = [client.decide(stays.new_listener()) for _ in range(20)]
        assert [decision.error for decision in decisions] == [""] * 20
        assert not grpc_ready(goes.target)()
