"""Who is in the holdout and in which arm: pinned, uniform, independent, and growing without anybody leaving."""

import itertools

import pytest

from interlude.contacts.campaign import Arm, Campaign
from interlude.contacts.experiment import UNASSIGNED, Assignment, assign, chance

ARMS = (
    Arm(name="model", share=0.5),
    Arm(name="brave", share=0.3, threshold=0.1),
    Arm(name="shy", share=0.2, threshold=0.9),
)
EXPERIMENT = Campaign(campaign_id="premium-day", holdout_share=0.1, arms=ARMS)
PEOPLE = 50_000


def _held_out(campaign: Campaign, people: int = PEOPLE) -> set[int]:
    return {customer_id for customer_id in range(people) if assign(campaign, customer_id).holdout}


def test_without_an_experiment_everybody_is_alike() -> None:
    assert {assign(Campaign(campaign_id="plain"), customer_id) for customer_id in range(100)} == {UNASSIGNED}


@pytest.mark.parametrize(
    ("customer_id", "expected"),
    [
        (0, Assignment(arm="brave", threshold=0.1, holdout=False)),
        (1, Assignment(arm="model", threshold=None, holdout=False)),
        (2, Assignment(arm="brave", threshold=0.1, holdout=True)),
        (3, Assignment(arm="brave", threshold=0.1, holdout=False)),
        (7, Assignment(arm="model", threshold=None, holdout=False)),
        (2**63 - 1, Assignment(arm="brave", threshold=0.1, holdout=False)),
        (4, Assignment(arm="brave", threshold=0.1, holdout=True)),
    ],
)
def test_nobody_is_drawn_anew_by_a_change_of_the_code(customer_id: int, expected: Assignment) -> None:
    # A change here moves people between the arms of every experiment that runs, and out of every holdout.
    assert assign(EXPERIMENT, customer_id) == expected


def test_the_chance_of_a_question_is_pinned_too() -> None:
    # Replay makes it again from the ids alone.
    assert [chance(EXPERIMENT, 7, "a"), chance(EXPERIMENT, 7, "b"), chance(EXPERIMENT, 8, "a")] == [
        0.9635937499526261,
        0.7709698708803929,
        0.6471569379341965,
    ]


def test_shares_are_what_they_say() -> None:
    found = [assign(EXPERIMENT, customer_id) for customer_id in range(PEOPLE)]
    assert sum(one.holdout for one in found) / PEOPLE == pytest.approx(0.1, abs=0.006)
    for arm in ARMS:
        assert sum(one.arm == arm.name for one in found) / PEOPLE == pytest.approx(arm.share, abs=0.01)
    assert {(one.arm, one.threshold) for one in found} == {(arm.name, arm.threshold) for arm in ARMS}


def test_being_held_out_says_nothing_about_the_arm() -> None:
    found = [assign(EXPERIMENT, customer_id) for customer_id in range(PEOPLE)]
    held_out = [one for one in found if one.holdout]
    for arm in ARMS:
        assert sum(one.arm == arm.name for one in held_out) / len(held_out) == pytest.approx(arm.share, abs=0.03)


def test_a_holdout_that_grows_keeps_its_members_and_one_that_shrinks_takes_nobody_new() -> None:
    shares = (0.0, 0.01, 0.05, 0.2, 0.5)
    groups = [_held_out(Campaign(campaign_id="a", holdout_share=share), 20_000) for share in shares]
    assert groups[0] == set()
    assert all(smaller < larger for smaller, larger in itertools.pairwise(groups))


def test_a_holdout_stays_when_arms_come_and_go() -> None:
    assert _held_out(EXPERIMENT, 5_000) == _held_out(Campaign(campaign_id="premium-day", holdout_share=0.1), 5_000)


def test_campaigns_of_one_salt_share_their_holdout_and_others_do_not() -> None:
    one, two = (Campaign(campaign_id=name, holdout_share=0.2, experiment_salt="2027") for name in ("one", "two"))
    other = Campaign(campaign_id="one", holdout_share=0.2)
    assert _held_out(one) == _held_out(two)
    # Independent draws: a fifth of a fifth is in both.
    assert len(_held_out(one) & _held_out(other)) / PEOPLE == pytest.approx(0.04, abs=0.005)


@pytest.mark.parametrize("customer_id", [0, 2**63 - 1])
def test_the_first_and_the_last_customer_have_a_place(customer_id: int) -> None:
    assert assign(EXPERIMENT, customer_id).arm in {arm.name for arm in ARMS}


def test_chances_are_uniform_over_questions_and_the_same_for_the_same_question() -> None:
    drawn = [chance(EXPERIMENT, 7, str(number)) for number in range(20_000)]
    assert drawn == [chance(EXPERIMENT, 7, str(number)) for number in range(20_000)]
    assert 0 <= min(drawn) < max(drawn) < 1
    for tenth in range(10):
        share = sum(tenth / 10 <= one < (tenth + 1) / 10 for one in drawn) / len(drawn)
        assert share == pytest.approx(0.1, abs=0.01)


def test_chance_is_apart_from_assignment() -> None:
    held_out = sorted(_held_out(EXPERIMENT))
    mean = sum(chance(EXPERIMENT, customer_id, "q") for customer_id in held_out) / len(held_out)
    assert mean == pytest.approx(0.5, abs=0.02)
