"""How much of a budget is due when."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlude.contacts.budget import BudgetState, Terms, allowance, closed_state, due_ms, terms_of
from interlude.contacts.campaign import Budget, Campaign, Pacing
from interlude.v1 import decision_pb2 as pb

_BEGIN = datetime(2026, 12, 1, tzinfo=UTC)
_BEGIN_MS = int(_BEGIN.timestamp() * 1000)
_HOUR_MS = 3_600_000
_PACED = Terms(10, 1000, 1100)

_TERMS = st.builds(
    lambda discounts, begins_ms, lasts_ms: Terms(discounts, begins_ms, begins_ms + lasts_ms),
    st.integers(1, 10**9),
    st.integers(0, 2 * 10**12),
    st.integers(1, 10**11),
)


def test_the_terms_are_those_of_the_document() -> None:
    def terms(budget: Budget | None) -> Terms | None:
        ends_at = _BEGIN + timedelta(hours=1)
        return terms_of(Campaign(campaign_id="a", starts_at=_BEGIN, ends_at=ends_at, budget=budget))

    assert terms(None) is None
    assert terms(Budget(discounts=5)) == Terms(5)
    assert terms(Budget(discounts=5, pacing=Pacing.EVEN)) == Terms(5, _BEGIN_MS, _BEGIN_MS + _HOUR_MS)


def test_the_states_are_numbered_as_on_the_wire() -> None:
    numbers = {f"BUDGET_STATE_{state.name}": state.value for state in BudgetState}
    assert numbers == {name: number for name, number in pb.BudgetState.items() if number}


@pytest.mark.parametrize("now_ms", [0, 10**15])
def test_without_pacing_all_is_due_at_any_time(now_ms: int) -> None:
    assert allowance(Terms(7), now_ms) == 7
    assert due_ms(Terms(7), 7) is None


@pytest.mark.parametrize(
    ("now_ms", "units"),
    [(0, 0), (999, 0), (1000, 1), (1009, 1), (1010, 2), (1050, 6), (1089, 9), (1090, 10), (1100, 10), (5000, 10)],
)
def test_an_even_pace_gives_each_unit_as_its_share_of_the_time_begins(now_ms: int, units: int) -> None:
    assert allowance(_PACED, now_ms) == units


@pytest.mark.parametrize(("units", "moment_ms"), [(0, None), (1, 1000), (5, 1040), (10, 1090), (11, None)])
def test_a_unit_is_due_when_its_share_of_the_time_begins(units: int, moment_ms: int | None) -> None:
    assert due_ms(_PACED, units) == moment_ms


@given(_TERMS, st.data())
def test_a_unit_is_allowed_from_the_moment_it_is_due_and_not_before(terms: Terms, data: st.DataObject) -> None:
    units = data.draw(st.integers(1, terms.discounts))
    moment_ms = due_ms(terms, units)
    assert moment_ms is not None
    assert allowance(terms, moment_ms) >= units > allowance(terms, moment_ms - 1)


@given(_TERMS, st.lists(st.integers(0, 3 * 10**12), min_size=2))
def test_an_allowance_never_shrinks_and_stays_within_the_budget(terms: Terms, moments_ms: list[int]) -> None:
    allowances = [allowance(terms, now_ms) for now_ms in sorted(moments_ms)]
    assert allowances == sorted(allowances)
    assert allowances[0] >= 0
    assert allowances[-1] <= terms.discounts


@pytest.mark.parametrize(
    ("leased", "state"),
    [(0, BudgetState.PACED), (9, BudgetState.PACED), (10, BudgetState.SPENT), (11, BudgetState.SPENT)],
)
def test_a_budget_is_spent_when_all_is_leased_out(leased: int, state: BudgetState) -> None:
    assert closed_state(_PACED, leased) is state
