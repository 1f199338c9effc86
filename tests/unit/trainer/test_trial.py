"""What becomes of a candidate: by how long it was tried, how it shows, and how it is clicked."""

import numpy as np
import pytest

from interlude.models.store import Candidate, Stage
from services.trainer.trial import CustomerCounts, Rules, Side, Step, judge

_MINUTE_MS = 60_000
_BEGAN_MS = 1_700_000_000_000
_RULES = Rules(
    shadow_ms=15 * _MINUTE_MS, canary_ms=60 * _MINUTE_MS, longest_ms=600 * _MINUTE_MS, probation_ms=120 * _MINUTE_MS
)


def _side(click_rate: float, show_rate: float = 0.2, customers: int = 5000, seed: int = 1) -> Side:
    """Customers with 1 to 5 decisions each, who differ in how they click: their decisions are not independent."""
    chance = np.random.default_rng(seed)
    decisions = chance.integers(1, 6, customers)
    shown = chance.binomial(decisions, show_rate)
    own_rates = chance.beta(2, 2 / max(click_rate, 1e-9) - 2, customers) if click_rate else np.zeros(customers)
    clicks = chance.binomial(shown, own_rates)
    return Side(map(CustomerCounts, decisions.tolist(), shown.tolist(), clicks.tolist()))


def _step(stage: Stage, minutes: float, champion: Side, challenger: Side) -> tuple[Step, str]:
    return judge(
        Candidate("v", stage, 0.1, _BEGAN_MS), champion, challenger, _RULES, _BEGAN_MS + round(minutes * _MINUTE_MS)
    )


def test_a_shadow_waits_its_time_and_becomes_a_canary() -> None:
    same = _side(0.1)
    assert _step(Stage.SHADOW, 14.9, same, same)[0] is Step.WAIT
    assert _step(Stage.SHADOW, 15, same, same)[0] is Step.CANARY


def test_a_shadow_without_any_decision_goes_on_after_its_time() -> None:
    assert _step(Stage.SHADOW, 15, Side([]), Side([]))[0] is Step.CANARY


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize(("rate", "withdrawn"), [(0.05, True), (0.15, False), (0.35, False), (0.5, True), (0.0, True)])
def test_showing_much_more_or_much_less_ends_the_trial(stage: Stage, rate: float, withdrawn: bool) -> None:
    step, sentence = _step(stage, 20, _side(0.1), _side(0.1, rate))
    assert ("times apart" in sentence) == withdrawn
    assert step is (Step.TAKE_BACK if stage is Stage.CONTROL else Step.WITHDRAW) or not withdrawn


def test_a_canary_as_good_is_promoted_once_it_had_its_time() -> None:
    champion, challenger = _side(0.1, customers=50_000), _side(0.11, customers=20_000, seed=2)
    assert _step(Stage.CANARY, 59, champion, challenger)[0] is Step.WAIT
    step, sentence = _step(Stage.CANARY, 60, champion, challenger)
    assert step is Step.PROMOTE
    assert "no worse" in sentence


def test_a_canary_that_is_worse_goes_before_its_time() -> None:
    step, sentence = _step(Stage.CANARY, 5, _side(0.2, customers=20_000), _side(0.1, customers=5000, seed=2))
    assert step is Step.WITHDRAW
    assert "It is worse" in sentence


def test_a_canary_with_too_little_to_say_waits_and_goes_in_the_end() -> None:
    champion, challenger = _side(0.1), _side(0.1, customers=100, seed=2)
    assert challenger.decisions < _RULES.decisions
    assert _step(Stage.CANARY, 300, champion, challenger)[0] is Step.WAIT
    step, sentence = _step(Stage.CANARY, 600, champion, challenger)
    assert step is Step.WITHDRAW
    assert "could not prove itself" in sentence


def test_a_champion_on_probation_waits_for_its_time_and_for_decisions_and_stays_in_the_end() -> None:
    champion, control = _side(0.1, customers=20_000), _side(0.1, seed=2)
    assert _step(Stage.CONTROL, 119, champion, control)[0] is Step.WAIT
    assert _step(Stage.CONTROL, 120, champion, control)[0] is Step.CONFIRM
    few = _side(0.1, customers=100, seed=2)
    assert _step(Stage.CONTROL, 599, champion, few)[0] is Step.WAIT
    assert _step(Stage.CONTROL, 600, champion, few)[0] is Step.CONFIRM


def test_a_champion_that_is_worse_than_the_one_before_is_taken_back_before_its_time() -> None:
    step, sentence = _step(Stage.CONTROL, 5, _side(0.1, customers=20_000), _side(0.2, customers=5000, seed=2))
    assert step is Step.TAKE_BACK
    assert "the one before" in sentence
    better = _step(Stage.CONTROL, 5, _side(0.2, customers=20_000), _side(0.1, customers=5000, seed=2))
    assert better[0] is Step.WAIT


def test_an_equal_champion_is_hardly_ever_taken_back() -> None:
    wrong = sum(
        _step(Stage.CONTROL, 5, _side(0.1, seed=seed), _side(0.1, customers=1000, seed=seed + 1000))[0]
        is Step.TAKE_BACK
        for seed in range(200)
    )
    assert wrong <= 2  # 0.1 % of 200, four standard errors more


def test_equal_models_are_seldom_called_worse() -> None:
    wrong = sum(
        _step(Stage.CANARY, 5, _side(0.1, seed=seed), _side(0.1, customers=1000, seed=seed + 1000))[0] is Step.WITHDRAW
        for seed in range(200)
    )
    assert wrong <= 8  # 1 % of 200, four standard errors more


def test_variance_counts_customers_not_decisions() -> None:
    once = Side([CustomerCounts(1, 1, 1)] * 50 + [CustomerCounts(1, 1, 0)] * 50)
    ten_times = Side([CustomerCounts(10, 10, 10)] * 50 + [CustomerCounts(10, 10, 0)] * 50)
    assert once.value == ten_times.value == 0.5
    assert ten_times.variance == pytest.approx(once.variance)
    assert Side([CustomerCounts(9, 1, 1)]).variance == float("inf")
