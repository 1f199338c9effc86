"""Models replaced under load: a good one within two seconds, a bad one never, no call failed."""

import time
from collections.abc import Iterator

import pytest

from devstack.keys import generate_keys
from devstack.stack import Stack
from tests.integration.decision_scene import UNHURRIED, DecisionScene, LightLoad, running, until
from tests.models import KEYS, STINGY, ModelSpec, promote

_SERVED_WITHIN_S = 2.0


@pytest.fixture
def scene(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DecisionScene]:
    """A service of the test's own."""
    with running(stack, tmp_path_factory.mktemp("reload"), settings=UNHURRIED) as running_scene:
        yield running_scene


def _champion(scene: DecisionScene) -> str:
    champion = scene.store.champion()
    assert champion is not None
    return champion.version


def _wait_for_refusal(scene: DecisionScene, check: str) -> None:
    name = "interlude_decision_models_refused_total"
    until(lambda: scene.sample(name, check=check) == 1, f"no model was refused for its {check}")


def test_a_promoted_model_serves_within_two_seconds_and_rollback_does_the_same(scene: DecisionScene) -> None:
    first = _champion(scene)
    with LightLoad(scene) as load:
        load.wait_for_calls(50)
        for change in (lambda: promote(scene.store, ModelSpec(STINGY)), scene.store.rollback):
            change()
            promoted_s, expected = time.monotonic(), _champion(scene)
            load.wait_for_version(expected)
            assert time.monotonic() - promoted_s < _SERVED_WITHIN_S
            load.versions.clear()
            load.wait_for_calls(20)
        load.wait_for_calls(50)
    assert set(load.ends) == {"OK"}
    assert set(load.versions) == {first}
    assert scene.sample("interlude_decision_model_info", version=first) == 1
    assert scene.sample("interlude_decision_models_loaded_total") == 3


def test_a_bad_model_is_counted_and_the_old_one_serves_on(scene: DecisionScene) -> None:
    good = _champion(scene)
    with LightLoad(scene) as load:
        for spec, keys, check in (
            (ModelSpec(STINGY), generate_keys(), "signature"),
            (ModelSpec(STINGY, manifest_changes={"fingerprints": ("0" * 12,) * 6}), KEYS, "features"),
            (ModelSpec(STINGY, manifest_changes={"golden": ModelSpec().golden}), KEYS, "golden"),
        ):
            promote(scene.store, spec, keys)
            _wait_for_refusal(scene, check)
        load.wait_for_calls(20)
    assert set(load.ends) == {"OK"}
    assert set(load.versions) == {good}
    assert scene.sample("interlude_decision_model_info", version=good) == 1


def test_without_any_good_model_the_service_answers_no_ad_until_one_comes(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("unsigned")
    broken = ModelSpec(manifest_changes={"golden": ()})
    with running(stack, directory, model=broken, settings=UNHURRIED) as scene:
        customer_id = scene.new_listener()
        answer = scene.decide(customer_id)
        assert (answer.show, answer.degraded, answer.model_version) == (False, True, "")
        promote(scene.store)
        until(lambda: scene.decide(customer_id).show, "the good model never served")
