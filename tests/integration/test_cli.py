"""`interlude explain` asks a running service."""

from collections.abc import Iterator

import pytest

from cli import exits
from cli.__main__ import main
from devstack.ports import LOOPBACK, free_port
from devstack.stack import Stack
from tests.integration.decision_scene import UNHURRIED, DecisionScene, running
from tests.models import ModelSpec


@pytest.fixture(scope="module")
def scene(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DecisionScene]:
    with running(stack, tmp_path_factory.mktemp("decision"), model=ModelSpec(), settings=UNHURRIED) as scene:
        yield scene


def test_a_listener_is_explained_before_and_after_a_contact(
    scene: DecisionScene, capsys: pytest.CaptureFixture[str]
) -> None:
    customer_id = scene.new_listener()
    line = ["explain", str(customer_id), "--target", scene.target, "--features"]
    assert main(line) == exits.OK
    before = capsys.readouterr().out
    assert before.startswith(f"customer {customer_id}, campaign premium-day: offer (SHOW, rung FULL, score ")
    assert "✗" not in before
    scene.decide(customer_id)
    assert main(line) == exits.OK
    after = capsys.readouterr().out
    assert "no offer (MINIMUM_GAP, " in after
    assert [mark.split()[:2] for mark in after.splitlines() if "✗" in mark] == [["✗", "MINIMUM_GAP"]]
    assert "the offer would be shown with\n  wait 20 min" in after


def test_a_service_that_refuses_or_is_not_there_is_a_problem(
    scene: DecisionScene, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "7", "--campaign", "unknown", "--target", scene.target]) == exits.PROBLEMS
    assert "INVALID_ARGUMENT: campaign_id" in capsys.readouterr().err
    assert main(["explain", "7", "--target", f"{LOOPBACK}:{free_port()}"]) == exits.PROBLEMS
    assert "UNAVAILABLE" in capsys.readouterr().err


def test_a_certificate_that_cannot_be_read_is_wrong_usage(
    scene: DecisionScene, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "7", "--target", scene.target, "--ca", "/no/such.pem"]) == exits.USAGE
    assert "/no/such.pem" in capsys.readouterr().err
