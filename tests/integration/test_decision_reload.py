"""Models replaced under load: a good one within two seconds, a bad one never, no call failed."""

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from devstack.bad_models import BAD_MODELS
from devstack.keys import generate_keys
from devstack.stack import Stack
from interlude.models.rollout import is_in_share
from interlude.models.store import Stage
from tests.integration.decision_scene import UNHURRIED, DecisionScene, LightLoad, running, until
from tests.listeners import VECTOR
from tests.models import KEYS, STINGY, ModelSpec, promote, publish

_SERVED_WITHIN_S = 2.0
_SWAPS = 30


@pytest.fixture
def scene(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DecisionScene]:
    """A service of the test's own."""
    with running(stack, tmp_path_factory.mktemp("reload"), settings=UNHURRIED) as running_scene:
        yield running_scene


def _champion(scene: DecisionScene) -> str:
    champion = scene.store.champion()
    assert champion is not None
    return champion.version


def _wait_for_refusals(scene: DecisionScene, check: str, count: int = 1) -> None:
    name = "interlude_decision_models_refused_total"
    until(lambda: scene.sample(name, check=check) >= count, f"not {count} models were refused for their {check}")


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
            _wait_for_refusals(scene, check)
        load.wait_for_calls(20)
    assert set(load.ends) == {"OK"}
    assert set(load.versions) == {good}
    assert scene.sample("interlude_decision_model_info", version=good) == 1


def test_a_canary_decides_for_its_share_and_a_shadow_for_nobody(scene: DecisionScene) -> None:
    champion, candidate = _champion(scene), publish(scene.store, ModelSpec(STINGY))
    listeners = [scene.new_listener() for _ in range(60)]

    def versions() -> dict[int, str]:
        return {customer_id: scene.decide(customer_id).model_version for customer_id in listeners}

    def tried(stage: Stage, share: float) -> None:
        scene.store.try_out(candidate, stage, share)
        name = "interlude_decision_candidate_share"
        until(lambda: scene.sample(f"{name}", version=candidate, stage=stage.value) == share, "nothing is tried")
        until(lambda: f'{name}{{stage="{stage.value}"' in scene.metrics_text(), "nothing is tried")

    tried(Stage.SHADOW, 0.0)
    assert set(versions().values()) == {champion}
    assert scene.sample("interlude_decision_shadow_answers_total", side="other") == len(listeners)
    tried(Stage.CANARY, 0.5)
    expected = {
        customer_id: candidate if is_in_share(candidate, 0.5, customer_id) else champion for customer_id in listeners
    }
    assert versions() == expected
    by_candidate = sum(version == candidate for version in expected.values())
    assert scene.sample("interlude_decision_candidate_answers_total", answer="no") == by_candidate
    scene.store.withdraw()
    until(lambda: "interlude_decision_candidate_share{" not in scene.metrics_text(), "the candidate does not go")
    assert set(versions().values()) == {champion}


def test_thirty_swaps_with_every_kind_of_bad_model_in_between_fail_no_call(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("swaps")
    bad = [make(KEYS) for make in BAD_MODELS.values()]
    specs = [ModelSpec(intercept=(swap - _SWAPS / 2) / 10) for swap in range(_SWAPS)]
    quick = {**UNHURRIED, "DECISION_MODEL_POLL_MS": "50"}
    with running(stack, directory, settings=quick) as scene, LightLoad(scene) as load:
        expected = {_champion(scene): _score(ModelSpec())}
        refused: Counter[str] = Counter()
        for swap, spec in enumerate(specs):
            for model in bad[swap::_SWAPS]:
                model.put(directory / "models")
                refused[model.check] += 1
                _wait_for_refusals(scene, model.check, refused[model.check])
            expected[promote(scene.store, spec)] = _score(spec)
            load.wait_for_version(_champion(scene))
        _roll_back(scene, load)
    assert set(load.ends) == {"OK"}
    expected[ModelSpec(STINGY).manifest.version] = _score(ModelSpec(STINGY))
    assert load.scores == set(expected.items())


def _score(spec: ModelSpec) -> float:
    return round(spec.probabilities([VECTOR])[0], 4)


def _roll_back(scene: DecisionScene, load: LightLoad) -> None:
    """The one that served before the last promotion of a good model serves within the promised time."""
    last = _champion(scene)
    good = promote(scene.store, ModelSpec(STINGY))
    load.wait_for_version(good)
    load.versions.clear()
    scene.store.rollback()
    began_s = time.monotonic()
    assert _champion(scene) == last
    load.wait_for_version(last)
    assert time.monotonic() - began_s < _SERVED_WITHIN_S


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
