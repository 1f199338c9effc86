"""From "show" to a shown offer: a discount from the budget and a contact in the ledger, or another answer."""

from collections.abc import Sequence
from typing import Final, Protocol

from interlude.contacts.budget import BudgetState
from interlude.contacts.campaign import Campaign
from interlude.contacts.caps import CapKind, Channel, windows
from interlude.contacts.ledger import LedgerUnavailable, Outcome, Reservation, ReservationRequest
from interlude.features.state import hash_id
from services.decision.answers import Answer, ReservationState, is_repeated
from services.decision.policy import CERTAIN, Reason, Rung, decide

_CAPPED: Final[dict[CapKind | None, Reason]] = {
    CapKind.GAP_MINUTES: Reason.MINIMUM_GAP,
    CapKind.GAP_TRACKS: Reason.MINIMUM_GAP,
    CapKind.LISTENING_HOUR: Reason.LISTENING_HOUR,
}


class Ledger(Protocol):
    """Where contacts are reserved. Raises `LedgerUnavailable` within the timeout."""

    def reserve(
        self, requests: Sequence[ReservationRequest], timeout_seconds: float | None = None
    ) -> list[Reservation]: ...


class Budgets(Protocol):
    """What campaigns have left to give. Safe between threads."""

    def state(self, campaign: Campaign, now_ms: int) -> BudgetState: ...

    def take(self, campaign: Campaign, now_ms: int) -> bool: ...

    def give_back(self, campaign: Campaign) -> None: ...


class Reserver:
    """Makes contacts of answers that are to be shown, and of those withheld for the holdout, all in one round trip."""

    def __init__(self, ledger: Ledger, budgets: Budgets) -> None:
        self._ledger = ledger
        self._budgets = budgets

    def budget_of(self, campaign: Campaign, now_ms: int) -> BudgetState:
        """What the policy is told of the budget."""
        return BudgetState.OPEN if campaign.budget is None else self._budgets.state(campaign, now_ms)

    def reserve(self, answers: list[Answer], places: Sequence[int], timeout_seconds: float) -> None:
        """Replace the answers at `places`, every one a "show" or a withheld one, by what becomes of them."""
        asked = []
        for place in places:
            answer = answers[place]
            if answer.show and not self._take(answer):
                answers[place] = _without_budget(answer, self.budget_of(answer.question.campaign, answer.decided_at_ms))
            else:
                asked.append(place)
        if not asked:
            return
        try:
            if timeout_seconds <= 0:
                raise LedgerUnavailable("no time is left")
            reservations = self._ledger.reserve([_request(answers[place]) for place in asked], timeout_seconds)
        except LedgerUnavailable:
            # Whether it was reserved is not known. Its discount stays promised: the question may come again, and then be shown.
            for place in asked:
                answers[place] = _unreserved(answers[place])
            return
        for place, reservation in zip(asked, reservations, strict=True):
            answers[place] = self._reserved(answers[place], reservation)

    def _reserved(self, answer: Answer, reservation: Reservation) -> Answer:
        if reservation.outcome is Outcome.RESERVED:
            return answer._replace(reservation=ReservationState.RESERVED)
        if answer.show and _needs_discount(answer):
            self._budgets.give_back(
                answer.question.campaign
            )  # nothing is shown, or another replica has just paid for it
        if reservation.outcome is Outcome.REPEATED:
            return answer._replace(reservation=ReservationState.REPEATED)
        reason = _CAPPED.get(reservation.cap, Reason.FREQUENCY_CAP)
        return answer._replace(reason=reason, propensity=CERTAIN, reservation=ReservationState.CAPPED)

    def _take(self, answer: Answer) -> bool:
        return not _needs_discount(answer) or self._budgets.take(answer.question.campaign, answer.decided_at_ms)


def _needs_discount(answer: Answer) -> bool:
    """Whether a discount has to be taken to show it; one that was reserved before has its own."""
    question = answer.question
    return question.campaign.budget is not None and not is_repeated(question, answer.contacts_value)


def _request(answer: Answer) -> ReservationRequest:
    question, facts = answer.question, answer.facts
    return ReservationRequest(
        question.customer_id,
        hash_id(question.request_id),
        question.campaign,
        Channel.PLAYER,
        answer.decided_at_ms,
        windows(question.campaign, facts.listener, facts.now_ms),
        withheld=not answer.show,
    )


def _without_budget(answer: Answer, budget: BudgetState) -> Answer:
    """Another took the last discount since the policy was asked."""
    facts = answer.facts._replace(budget=BudgetState.PACED if budget is BudgetState.OPEN else budget)
    verdict = decide(facts)
    return answer._replace(reason=verdict.reason, propensity=verdict.propensity, facts=facts)


def _unreserved(answer: Answer) -> Answer:
    return answer._replace(
        reason=Reason.UNAVAILABLE,
        propensity=CERTAIN,
        facts=answer.facts._replace(rung=Rung.NO_RESERVATION),
        reservation=ReservationState.UNAVAILABLE,
    )
