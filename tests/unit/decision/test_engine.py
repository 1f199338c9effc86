"""The engine on fakes: batches, rungs, retries and races."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from interlude.contacts.budget import BudgetState
from interlude.contacts.campaign import Budget, Campaign, ColdStart
from interlude.contacts.caps import MINUTE_MS, CapKind, Channel, Contact
from interlude.contacts.ledger import LedgerUnavailable, Outcome, Reservation, ReservationRequest, encode_contact
from interlude.features.schema import FEATURE_NAMES, STATE_FEATURE_NAMES
from interlude.features.state import Level, hash_id
from interlude.models.scorer import Scorer
from services.decision.answers import Answer, Question, ReservationState
from services.decision.champion import Serving
from services.decision.engine import DecisionEngine
from services.decision.policy import CERTAIN, Reason, Rung
from services.decision.reserving import Ledger, Reserver
from tests.contract.fakes import FakeBudgets, FakeChampion, FakeLedger, FakeListeners
from tests.listeners import NEWEST_LISTEN_MS, VECTOR, hot_features, profile
from tests.models import GENEROUS, STINGY, ModelSpec

_NOW_MS = 1_700_000_000_000
_RESERVE_SECONDS = 0.002
_CAMPAIGN = Campaign(campaign_id="premium-day")
_FREE, _GOLD, _UNKNOWN, _CAPPED = 1, 2, 3, 4


def _serving(intercept: float = GENEROUS) -> Serving:
    spec = ModelSpec(intercept, (0.0, 0.0, 1.0, 0.0, 0.0, 0.0))
    return Serving("v1", Scorer(spec.file, spec.manifest), spec.threshold)


class _Clock:
    now_ms = _NOW_MS

    def __call__(self) -> int:
        return self.now_ms


@dataclass
class _World:
    """An engine over fakes that share one ledger, as features and contacts share one Redis."""

    listeners: FakeListeners
    ledger: FakeLedger
    champion: FakeChampion
    clock: _Clock
    engine: DecisionEngine
    budgets: FakeBudgets = field(default_factory=FakeBudgets)

    def ask(self, request_id: str = "r", customer_id: int = _FREE, campaign: Campaign = _CAMPAIGN) -> Answer:
        return self.engine.decide([Question(request_id, customer_id, campaign)], [1.0])[0]


def _world(intercept: float = GENEROUS) -> _World:
    ledger = FakeLedger()
    contacts = tuple(
        Contact(_NOW_MS - hours * 60 * MINUTE_MS, hours, _CAMPAIGN.campaign_hash, Channel.SMS) for hours in (3, 2, 1)
    )
    ledger.contacts[_CAPPED] = contacts
    features = {customer_id: hot_features() for customer_id in (_FREE, _CAPPED)}
    features[_GOLD] = hot_features(profile(level=Level.GOLD))
    listeners = FakeListeners(features=features, contacts=ledger.contacts)
    champion, clock, budgets = FakeChampion(_serving(intercept)), _Clock(), FakeBudgets()
    engine = DecisionEngine(
        listeners, Reserver(ledger, budgets), champion, now_ms=clock, reserve_seconds=_RESERVE_SECONDS
    )
    return _World(listeners, ledger, champion, clock, engine, budgets)


def test_a_listener_with_nothing_against_it_is_shown_the_offer_with_a_contact_reserved() -> None:
    world = _world()
    answer = world.ask("r1")
    assert answer.show
    assert answer.facts.rung is Rung.FULL
    assert answer.model_version == "v1"
    assert world.ledger.contacts[_FREE] == (Contact(_NOW_MS, hash_id("r1"), _CAMPAIGN.campaign_hash, Channel.PLAYER),)


def test_the_score_is_the_models_for_the_listeners_vector() -> None:
    score = _world().ask().facts.score
    assert score == pytest.approx(
        ModelSpec(GENEROUS, (0.0, 0.0, 1.0, 0.0, 0.0, 0.0)).probabilities([VECTOR])[0], abs=1e-6
    )


@pytest.mark.parametrize(
    ("customer_id", "reason"),
    [(_FREE, Reason.SHOW), (_GOLD, Reason.LEVEL), (_UNKNOWN, Reason.UNKNOWN_CUSTOMER), (_CAPPED, Reason.FREQUENCY_CAP)],
)
def test_each_kind_of_listener_gets_its_reason(customer_id: int, reason: Reason) -> None:
    assert _world().ask(customer_id=customer_id).reason is reason


def test_a_model_may_be_asked_with_what_only_the_moment_knows() -> None:
    names = ("recency", "mobile", "session_position", "level")
    spec = ModelSpec(0.0, (-0.5, 1.0, 0.3, 0.2), features=names)
    world = _world()
    world.champion.serving = Serving("v2", Scorer(spec.file, spec.manifest), spec.threshold)
    world.clock.now_ms = NEWEST_LISTEN_MS + 15 * MINUTE_MS
    facts = world.ask().facts
    assert facts.score == pytest.approx(spec.probabilities([[0.25, 0.5, 3.0, 1.0]])[0], abs=1e-6)
    assert facts.listener is not None
    whole = dict(zip(FEATURE_NAMES, memoryview(facts.listener.vector).cast("f"), strict=True))
    assert [whole[name] for name in names] == [0.25, 0.5, 3.0, 1.0]
    assert [whole[name] for name in STATE_FEATURE_NAMES] == list(VECTOR)


def test_a_batch_answers_each_question_as_it_would_be_answered_alone() -> None:
    customers = [_FREE, _UNKNOWN, _GOLD, _CAPPED, 99, _UNKNOWN, _GOLD]
    questions = [Question(f"r{place}", customer, _CAMPAIGN) for place, customer in enumerate(customers)]
    alone = [_world().engine.decide([question], [1.0])[0] for question in questions]
    assert _world().engine.decide(questions, [1.0] * len(questions)) == alone


def test_a_batch_is_one_read_and_one_run_of_the_model() -> None:
    world = _world()
    runs: list[int] = []

    class _CountingScorer:
        takes_moment = False

        def score_vectors(self, vectors: np.ndarray) -> np.ndarray:
            runs.append(len(vectors))
            return np.full(len(vectors), 0.9, np.float32)

    world.champion.serving = Serving("v1", _CountingScorer(), 0.5)  # type: ignore[arg-type]
    world.engine.decide([Question(f"r{customer}", customer, _CAMPAIGN) for customer in (1, 2, 3, 4)], [1.0] * 4)
    assert world.listeners.batches == [[1, 2, 3, 4]]
    assert runs == [3]  # nobody asks a model about a customer that is not known


def test_one_listener_twice_in_a_batch_is_shown_one_offer() -> None:
    world = _world()
    answers = world.engine.decide([Question(name, _FREE, _CAMPAIGN) for name in ("a", "b")], [1.0, 1.0])
    assert [answer.reason for answer in answers] == [Reason.SHOW, Reason.MINIMUM_GAP]
    assert len(world.ledger.contacts[_FREE]) == 1


def test_an_empty_batch_has_no_answers() -> None:
    assert _world().engine.decide([], []) == []


def test_the_next_call_sees_the_contact() -> None:
    world = _world()
    assert [world.ask(name).reason for name in ("r1", "r2")] == [Reason.SHOW, Reason.MINIMUM_GAP]


def test_a_retried_request_gets_the_same_answer_and_one_contact() -> None:
    world = _world()
    answers = []
    for _ in range(3):
        answers.append(world.ask("same"))
        world.clock.now_ms += 40
    assert [answer.reason for answer in answers] == [Reason.SHOW] * 3
    assert len(world.ledger.contacts[_FREE]) == 1


def test_a_retry_is_shown_although_its_own_contact_filled_the_cap() -> None:
    world = _world()
    one_a_day = Campaign(campaign_id="one", contacts_per_day=1)
    assert [world.ask("same", campaign=one_a_day).reason for _ in range(2)] == [Reason.SHOW] * 2
    assert world.ask("other", campaign=one_a_day).reason is Reason.FREQUENCY_CAP


class _AnsweringLedger:
    """Says the same to every request."""

    def __init__(self, said: Reservation) -> None:
        self._said = said

    def reserve(
        self, requests: Sequence[ReservationRequest], timeout_seconds: float | None = None
    ) -> list[Reservation]:
        assert timeout_seconds is not None
        return [self._said for _ in requests]


def _engine_with(world: _World, ledger: Ledger) -> DecisionEngine:
    return DecisionEngine(
        world.listeners,
        Reserver(ledger, world.budgets),
        world.champion,
        now_ms=world.clock,
        reserve_seconds=_RESERVE_SECONDS,
    )


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (CapKind.HOUR, Reason.FREQUENCY_CAP),
        (CapKind.DAY, Reason.FREQUENCY_CAP),
        (CapKind.WEEK, Reason.FREQUENCY_CAP),
        (CapKind.SESSION, Reason.FREQUENCY_CAP),
        (CapKind.LISTENING_HOUR, Reason.LISTENING_HOUR),
        (CapKind.GAP_MINUTES, Reason.MINIMUM_GAP),
        (CapKind.GAP_TRACKS, Reason.MINIMUM_GAP),
    ],
)
def test_a_contact_that_another_call_reserved_meanwhile_is_respected(kind: CapKind, reason: Reason) -> None:
    world = _world()
    engine = _engine_with(world, _AnsweringLedger(Reservation(Outcome.CAPPED, kind)))
    question = Question("r", _FREE, _CAMPAIGN)
    assert engine.judge([question], [1.0])[0].reason is Reason.SHOW
    answer = engine.decide([question], [1.0])[0]
    assert (answer.reason, answer.propensity, answer.reservation) == (reason, CERTAIN, ReservationState.CAPPED)


def test_an_answer_carries_what_redis_said_and_how_the_reservation_went() -> None:
    world = _world()
    answer = world.ask("r1")
    assert answer.listener_value == hot_features()
    assert (answer.contacts_value, answer.reservation) == (b"", ReservationState.RESERVED)
    again = world.ask("r1")
    assert again.contacts_value == encode_contact(world.ledger.contacts[_FREE][0])
    assert again.reservation is ReservationState.REPEATED
    assert world.ask(customer_id=_GOLD).reservation is ReservationState.NOT_ASKED


_HELD_OUT = Campaign(campaign_id="measured", holdout_share=0.5)
_EVERYBODY = range(1000, 1050)


def _with_many(world: _World) -> _World:
    world.listeners.features |= dict.fromkeys(_EVERYBODY, hot_features())
    return world


def test_an_offer_withheld_for_the_holdout_uses_up_the_caps_like_a_shown_one() -> None:
    world = _with_many(_world())
    answers = [world.ask(customer_id=customer_id, campaign=_HELD_OUT) for customer_id in _EVERYBODY]
    withheld = [answer.question.customer_id for answer in answers if answer.reason is Reason.HOLDOUT]
    assert 0 < len(withheld) < len(_EVERYBODY)
    assert {answer.propensity for answer in answers} == {0.5}
    for answer in answers:
        contact = world.ledger.contacts[answer.question.customer_id][0]
        assert contact.withheld is not answer.show
    assert world.ask("next", customer_id=withheld[0], campaign=_HELD_OUT).reason is Reason.MINIMUM_GAP


_SCARCE = Campaign(campaign_id="scarce", budget=Budget(discounts=2), minimum_gap_minutes=0)


def test_each_shown_offer_takes_a_discount_and_none_is_shown_without() -> None:
    world = _with_many(_world())
    world.budgets.units["scarce"] = 2
    reasons = [world.ask(customer_id=customer_id, campaign=_SCARCE).reason for customer_id in _EVERYBODY[:4]]
    assert reasons == [Reason.SHOW, Reason.SHOW, Reason.BUDGET_SPENT, Reason.BUDGET_SPENT]
    assert len(world.ledger.requests) == 2


def test_the_last_discount_goes_to_one_of_a_batch() -> None:
    world = _with_many(_world())
    world.budgets.units["scarce"] = 1
    questions = [Question("r", customer_id, _SCARCE) for customer_id in _EVERYBODY[:3]]
    answers = world.engine.decide(questions, [1.0] * 3)
    assert [answer.reason for answer in answers] == [Reason.SHOW, Reason.BUDGET_SPENT, Reason.BUDGET_SPENT]
    assert [answer.facts.budget for answer in answers[1:]] == [BudgetState.SPENT] * 2


def test_a_question_asked_again_is_shown_although_its_own_discount_was_the_last() -> None:
    world = _with_many(_world())
    world.budgets.units["scarce"] = 1
    first, again = (world.ask("same", customer_id=_EVERYBODY[0], campaign=_SCARCE) for _ in range(2))
    assert (first.reason, again.reason) == (Reason.SHOW, Reason.SHOW)
    assert world.budgets.units["scarce"] == 0
    assert world.ask("other", customer_id=_EVERYBODY[1], campaign=_SCARCE).reason is Reason.BUDGET_SPENT


def test_a_paced_budget_that_runs_dry_meanwhile_is_told_so() -> None:
    world = _with_many(_world())
    world.budgets.units["scarce"], world.budgets.stale, world.budgets.closed = 0, True, BudgetState.PACED
    assert world.ask(customer_id=_EVERYBODY[0], campaign=_SCARCE).reason is Reason.PACED


def test_a_withheld_offer_takes_no_discount() -> None:
    world = _with_many(_world())
    world.budgets.units["both"] = len(_EVERYBODY)
    campaign = Campaign(campaign_id="both", budget=Budget(discounts=1000), holdout_share=0.5)
    answers = [world.ask(customer_id=customer_id, campaign=campaign) for customer_id in _EVERYBODY]
    assert world.budgets.units["both"] == len(_EVERYBODY) - sum(answer.show for answer in answers)


@pytest.mark.parametrize("outcome", [Outcome.REPEATED, Outcome.CAPPED])
def test_a_discount_goes_back_where_the_offer_was_not_made_or_paid_for_before(outcome: Outcome) -> None:
    world = _world()
    world.budgets.units["scarce"] = 1
    engine = _engine_with(world, _AnsweringLedger(Reservation(outcome, CapKind.DAY)))
    engine.decide([Question("r", _FREE, _SCARCE)], [1.0])
    assert world.budgets.units["scarce"] == 1


def test_a_discount_whose_reservation_nobody_knows_of_stays_promised() -> None:
    world = _world()
    world.budgets.units["scarce"] = 1

    class _SilentLedger:
        def reserve(
            self, requests: Sequence[ReservationRequest], timeout_seconds: float | None = None
        ) -> list[Reservation]:
            raise LedgerUnavailable(f"{len(requests)} requests in {timeout_seconds} s")

    answer = _engine_with(world, _SilentLedger()).decide([Question("r", _FREE, _SCARCE)], [1.0])[0]
    assert (answer.reason, answer.facts.rung) == (Reason.UNAVAILABLE, Rung.NO_RESERVATION)
    assert answer.reservation is ReservationState.UNAVAILABLE
    assert world.budgets.units["scarce"] == 0


_PRIOR = Campaign(campaign_id="prior", cold_start=ColdStart.PRIOR, prior_click_probability=0.6)


def test_a_campaigns_prior_decides_where_no_model_can_be_asked() -> None:
    world = _world()
    assert world.ask(customer_id=_UNKNOWN, campaign=_PRIOR).facts.rung is Rung.PRIOR
    world.champion.serving = None
    answer = world.ask(campaign=_PRIOR)
    assert (answer.reason, answer.facts.rung, answer.facts.score) == (Reason.SHOW, Rung.PRIOR, None)
    assert world.ask(customer_id=_GOLD, campaign=_PRIOR).reason is Reason.LEVEL


def test_only_shown_answers_are_reserved() -> None:
    world = _world()
    questions = [Question(f"r{customer}", customer, _CAMPAIGN) for customer in (_GOLD, _FREE, _CAPPED, _UNKNOWN)]
    world.engine.decide(questions, [1.0] * len(questions))
    assert [request.customer_id for request in world.ledger.requests] == [_FREE]


def test_judging_reserves_nothing() -> None:
    world = _world()
    assert world.engine.judge([Question("r", _FREE, _CAMPAIGN)], [1.0])[0].show
    assert world.ledger.requests == []


def test_without_a_ledger_the_answer_is_no_ad() -> None:
    world = _world()
    world.ledger.available = False
    answer = world.ask()
    assert (answer.show, answer.reason, answer.facts.rung) == (False, Reason.UNAVAILABLE, Rung.NO_RESERVATION)
    assert world.ask(customer_id=_GOLD).facts.rung is Rung.FULL  # nothing to reserve, nothing missed


def test_without_features_the_answer_is_no_ad() -> None:
    world = _world()
    world.listeners.available = False
    answer = world.ask()
    assert (answer.show, answer.reason, answer.facts.rung) == (False, Reason.UNAVAILABLE, Rung.NO_FEATURES)
    assert (answer.model_version, answer.facts.score) == ("", None)
    assert world.ledger.requests == []


def test_without_a_model_the_answer_is_no_ad_and_the_other_rules_still_hold() -> None:
    world = _world()
    world.champion.serving = None
    answer = world.ask()
    assert (answer.show, answer.reason, answer.facts.rung) == (False, Reason.UNAVAILABLE, Rung.NO_MODEL)
    assert world.ask(customer_id=_GOLD).reason is Reason.LEVEL
    assert world.ask(customer_id=_CAPPED).reason is Reason.FREQUENCY_CAP


@pytest.mark.parametrize("remaining_seconds", [-1.0, 0.0, _RESERVE_SECONDS])
def test_without_time_the_answer_is_no_ad_and_nothing_is_read(remaining_seconds: float) -> None:
    world = _world()
    answer = world.engine.decide([Question("r", _FREE, _CAMPAIGN)], [remaining_seconds])[0]
    assert (answer.show, answer.reason, answer.facts.rung) == (False, Reason.UNAVAILABLE, Rung.NO_TIME)
    assert world.listeners.batches == []


def test_the_read_may_take_what_is_left_after_the_way_back() -> None:
    world = _world()
    world.engine.decide([Question("r", _FREE, _CAMPAIGN)], [0.05])
    assert world.listeners.timeouts_seconds == [pytest.approx(0.048)]


def test_the_reservation_may_take_what_the_read_has_left() -> None:
    world = _world()
    ticks = iter([0.0, 0.010, 0.010])
    engine = DecisionEngine(
        world.listeners,
        Reserver(world.ledger, world.budgets),
        world.champion,
        now_ms=world.clock,
        reserve_seconds=_RESERVE_SECONDS,
        seconds=lambda: next(ticks),
    )
    assert engine.decide([Question("r", _FREE, _CAMPAIGN)], [0.05])[0].show
    assert world.ledger.timeouts_seconds == [pytest.approx(0.038)]


def test_an_offer_for_which_no_time_is_left_to_reserve_is_not_shown() -> None:
    world = _world()
    ticks = iter([0.0, 0.060])
    engine = DecisionEngine(
        world.listeners,
        Reserver(world.ledger, world.budgets),
        world.champion,
        now_ms=world.clock,
        reserve_seconds=_RESERVE_SECONDS,
        seconds=lambda: next(ticks),
    )
    answer = engine.decide([Question("r", _FREE, _CAMPAIGN)], [0.05])[0]
    assert (answer.show, answer.facts.rung) == (False, Rung.NO_RESERVATION)
    assert world.ledger.requests == []


def test_callers_in_a_hurry_are_read_first_and_by_themselves() -> None:
    world = _world()
    customers = [_FREE, _GOLD, _UNKNOWN, _CAPPED]
    questions = [Question(f"r{customer}", customer, _CAMPAIGN) for customer in customers]
    answers = world.engine.decide(questions, [0.05, 0.005, 0.001, 0.012])
    assert [answer.question.customer_id for answer in answers] == customers
    assert [answer.facts.rung for answer in answers] == [Rung.FULL, Rung.FULL, Rung.NO_TIME, Rung.FULL]
    assert world.listeners.batches == [[_GOLD, _CAPPED], [_FREE]]
    assert world.listeners.timeouts_seconds == [pytest.approx(0.003, abs=0.002), pytest.approx(0.048, abs=0.01)]


def test_a_switched_off_campaign_is_switched_off_even_without_redis() -> None:
    world = _world()
    world.listeners.available = False
    assert world.ask(campaign=Campaign(campaign_id="off", enabled=False)).reason is Reason.SWITCHED_OFF


def test_below_the_threshold_nothing_is_shown_or_reserved() -> None:
    world = _world(STINGY)
    assert world.ask().reason is Reason.LOW_SCORE
    assert world.ledger.requests == []


def test_a_new_model_serves_the_next_batch() -> None:
    world = _world(STINGY)
    assert world.ask("r1").reason is Reason.LOW_SCORE
    world.champion.serving = _serving()._replace(version="v2")
    answer = world.ask("r2")
    assert (answer.reason, answer.model_version) == (Reason.SHOW, "v2")
