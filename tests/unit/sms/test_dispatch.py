"""What becomes of requests, undisturbed and with every single call failing once."""

from dataclasses import replace
from itertools import count

import pytest

from interlude.contacts.campaign import Campaign, Campaigns
from interlude.contacts.caps import CapKind
from interlude.contacts.experiment import assign
from interlude.contacts.ledger import LedgerUnavailable, Outcome, Reservation
from interlude.features.state import Level
from interlude.servicekit.errors import Unavailable
from services.sms.dispatch import Dispatcher
from services.sms.journal import Entry, Status, key_of
from services.sms.metrics import SmsMetrics
from services.sms.policy import Reason, TextProfile, TextRequest
from tests.unit.sms.fakes import (
    NO_SESSION,
    REFUSED,
    THROTTLED,
    UNCERTAIN,
    Crash,
    FakeBudgets,
    FakeCampaigns,
    FakeJournal,
    FakeLedger,
    FakeOperator,
    FakeOutbox,
    FakePhones,
    FakeProfiles,
    FakeRedis,
    Faults,
)

CAMPAIGNS = Campaigns(campaigns=(Campaign(campaign_id="premium-day"),))
PROFILE = TextProfile(1, Level.FREE, active=True, consent_sms=True, sealed_phone=b"+")
THROTTLE_LIMIT_MS = 1000
_ENDS = (Status.SENT, Status.FAILED, Status.SUPPRESSED)


def _request(customer_id: int, request_id: str = "") -> TextRequest:
    return TextRequest(request_id or f"premium-day/{customer_id}", customer_id, "premium-day", expires_at_ms=0)


class World:
    """Everything around the dispatcher; `restart` is a new process."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.campaigns = FakeCampaigns(CAMPAIGNS)
        self.redis = FakeRedis(self.faults, dict.fromkeys(range(1, 20), PROFILE))
        self.ledger = FakeLedger(self.redis)
        self.budgets = FakeBudgets()
        self.operator = FakeOperator(self.faults)
        self.outbox = FakeOutbox()
        self.metrics = SmsMetrics()
        self.now_ms = 1_700_000_000_000
        self._tokens = count()
        self.restart()

    def restart(self) -> None:
        told = self.outbox.told
        self.outbox = FakeOutbox(told)
        self.dispatcher = Dispatcher(
            campaigns=self.campaigns,
            profiles=FakeProfiles(self.redis),
            phones=FakePhones(),
            budgets=self.budgets,
            ledger=self.ledger,
            journal=FakeJournal(self.redis),
            operator=self.operator,
            outbox=self.outbox,
            metrics=self.metrics,
            now_ms=self._tick,
            token=b"token-%d" % next(self._tokens),
            throttle_limit_ms=THROTTLE_LIMIT_MS,
        )

    def _tick(self) -> int:
        self.now_ms += 1
        return self.now_ms

    def run(self, requests: list[TextRequest]) -> None:
        """As the loop does: again while something is away, in a new process after a crash."""
        for _ in range(20):
            try:
                self.dispatcher.dispatch(requests)
            except Unavailable:
                continue
            except Crash:
                self.restart()
                continue
            self.outbox.flush()
            return
        pytest.fail("the batch is never done")

    def ends(self) -> dict[str, tuple[Status, Reason]]:
        """How each request ended. Fails where two stories are told."""
        ends: dict[str, tuple[Status, Reason]] = {}
        events: dict[tuple[str, Status], tuple[str, Status, Reason, int, str]] = {}
        for event in self.outbox.told:
            request_id, status, reason, *_ = event
            assert events.setdefault((request_id, status), event) == event
            if status in _ENDS:
                assert ends.setdefault(request_id, (status, reason)) == (status, reason)
        return ends


def test_a_request_is_accepted_then_sent() -> None:
    world = World()
    world.run([_request(1)])
    assert [event[1:3] for event in world.outbox.told] == [(Status.ACCEPTED, Reason.NONE), (Status.SENT, Reason.NONE)]
    assert world.outbox.told[1][4] == "id"
    assert world.operator.got == ["+1"]


def test_a_rule_or_the_ledger_ends_a_request_without_a_message() -> None:
    world = World()
    world.redis.profiles[1] = replace(PROFILE, consent_sms=False)
    world.ledger.refusals = {
        2: Reservation(Outcome.CAPPED, CapKind.DAY),
        3: Reservation(Outcome.CAPPED, CapKind.GAP_MINUTES),
    }
    unknown = replace(_request(4), campaign_id="no-such")
    world.run([_request(1), _request(2), _request(3), unknown, _request(99)])
    assert world.ends() == {
        "premium-day/1": (Status.SUPPRESSED, Reason.NO_CONSENT),
        "premium-day/2": (Status.SUPPRESSED, Reason.FREQUENCY_CAP),
        "premium-day/3": (Status.SUPPRESSED, Reason.FREQUENCY_CAP),
        "premium-day/4": (Status.SUPPRESSED, Reason.UNKNOWN_CAMPAIGN),
        "premium-day/99": (Status.SUPPRESSED, Reason.UNKNOWN_CUSTOMER),
    }
    assert world.operator.got == []


def _hold_out(world: World) -> set[int]:
    """Half of all customers; returns who among the first nineteen."""
    campaign = Campaign(campaign_id="premium-day", holdout_share=0.5)
    world.campaigns.current = Campaigns(campaigns=(campaign,))
    return {number for number in range(1, 20) if assign(campaign, number).holdout}


def test_who_is_held_out_has_a_place_in_the_ledger_and_gets_no_message() -> None:
    world = World()
    held_out = _hold_out(world)
    world.run([_request(number) for number in range(1, 20)])
    assert {number for number in range(1, 20) if world.ends()[f"premium-day/{number}"][1] is Reason.HOLDOUT} == held_out
    assert world.ledger.withheld == held_out
    assert world.operator.got == [f"+{number}" for number in range(1, 20) if number not in held_out]
    assert world.budgets.used == 19 - len(held_out)


def test_who_is_held_out_is_capped_and_has_no_discount_like_everybody() -> None:
    world = World()
    one, two, *_ = sorted(_hold_out(world))
    world.ledger.refusals = {one: Reservation(Outcome.CAPPED, CapKind.DAY)}
    world.run([_request(one)])
    world.budgets.left = 0
    world.run([_request(two)])
    assert world.ends() == {
        f"premium-day/{one}": (Status.SUPPRESSED, Reason.FREQUENCY_CAP),
        f"premium-day/{two}": (Status.SUPPRESSED, Reason.BUDGET_SPENT),
    }


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 9))
def test_whichever_call_the_process_dies_in_who_is_held_out_stays_so(at: int, after: bool) -> None:
    world = World(Faults(at, after))
    held_out = _hold_out(world)
    world.run([_request(number) for number in held_out])
    assert set(world.ends().values()) == {(Status.SUPPRESSED, Reason.HOLDOUT)}
    assert world.operator.got == []


def test_a_holdout_that_begins_while_a_message_waits_stops_it() -> None:
    world = World()
    world.operator.is_bound = False
    with pytest.raises(Unavailable):
        world.dispatcher.dispatch([_request(number) for number in range(1, 20)])
    held_out = _hold_out(world)
    world.operator.is_bound = True
    world.run([_request(number) for number in range(1, 20)])
    assert len(world.operator.got) == 19 - len(held_out)


def test_a_holdout_that_begins_while_the_operator_throttles_stops_it() -> None:
    world = World()
    world.operator.answers = {f"+{number}": [THROTTLED] for number in range(1, 20)}
    with pytest.raises(Unavailable):
        world.dispatcher.dispatch([_request(number) for number in range(1, 20)])
    held_out = _hold_out(world)
    world.run([_request(number) for number in range(1, 20)])
    assert len(world.operator.got) == 19 - len(held_out)
    assert world.ledger.withheld == set()


def test_campaigns_that_change_hold_from_the_next_request_on() -> None:
    world = World()
    world.run([_request(1)])
    world.campaigns.current = Campaigns(campaigns=(Campaign(campaign_id="premium-day", enabled=False),))
    world.run([_request(2)])
    assert world.ends()["premium-day/2"] == (Status.SUPPRESSED, Reason.UNKNOWN_CAMPAIGN)
    assert world.operator.got == ["+1"]


def test_another_request_for_the_same_campaign_is_already_sent() -> None:
    world = World()
    world.run([_request(1), _request(1, "again/1")])
    assert world.ends()["again/1"] == (Status.SUPPRESSED, Reason.ALREADY_SENT)
    assert world.operator.got == ["+1"]


@pytest.mark.parametrize("restarted", [True, False])
def test_a_request_that_comes_again_tells_the_same_and_sends_nothing(restarted: bool) -> None:
    world = World()
    requests = [_request(1), _request(99)]
    world.run(requests)
    first = list(world.outbox.told)
    if restarted:
        world.restart()
    world.redis.profiles[99] = PROFILE  # what is known now does not change how it ended
    world.run(requests)
    assert sorted(world.outbox.told[len(first) :]) == sorted(first)
    assert world.operator.got == ["+1"]
    assert world.metrics.registry.get_sample_value("interlude_sms_repeated_requests_total") == 2


@pytest.mark.parametrize(
    ("answers", "end", "got"),
    [
        ([REFUSED], (Status.FAILED, Reason.OPERATOR_REFUSED), 1),
        ([UNCERTAIN], (Status.FAILED, Reason.UNCERTAIN), 1),
        ([THROTTLED, THROTTLED], (Status.SENT, Reason.NONE), 1),
        ([NO_SESSION], (Status.SENT, Reason.NONE), 1),
        ([THROTTLED, REFUSED], (Status.FAILED, Reason.OPERATOR_REFUSED), 1),
    ],
)
def test_only_what_the_operator_has_certainly_not_taken_is_offered_again(
    answers: list[object], end: tuple[Status, Reason], got: int
) -> None:
    world = World()
    world.operator.answers["+1"] = list(answers)  # type: ignore[arg-type]
    world.run([_request(1), _request(2)])
    assert world.ends()["premium-day/1"] == end
    assert world.operator.got.count("+1") == got
    assert world.operator.got.count("+2") == 1


def test_offering_again_has_an_end() -> None:
    world = World()
    world.operator.answers["+1"] = [THROTTLED] * 10
    with pytest.raises(Unavailable, match="takes no more"):
        world.dispatcher.dispatch([_request(1)])
    world.now_ms += THROTTLE_LIMIT_MS
    world.run([_request(1)])
    assert world.ends() == {"premium-day/1": (Status.FAILED, Reason.OPERATOR_REFUSED)}
    assert world.operator.got == []


def test_consent_withdrawn_while_the_operator_throttles_counts() -> None:
    world = World()
    world.operator.answers["+1"] = [THROTTLED]
    with pytest.raises(Unavailable):
        world.dispatcher.dispatch([_request(1)])
    world.redis.profiles[1] = replace(PROFILE, consent_sms=False)
    world.run([_request(1)])
    assert world.ends() == {"premium-day/1": (Status.SUPPRESSED, Reason.NO_CONSENT)}
    assert world.operator.got == []


def test_without_a_session_nothing_is_reserved_and_suppressions_go_on() -> None:
    world = World()
    world.operator.is_bound = False
    with pytest.raises(Unavailable, match="no session"):
        world.dispatcher.dispatch([_request(1), _request(99)])
    assert world.redis.reserved == {}
    world.outbox.flush()
    assert world.ends() == {"premium-day/99": (Status.SUPPRESSED, Reason.UNKNOWN_CUSTOMER)}
    world.operator.is_bound = True
    world.run([_request(1), _request(99)])
    assert world.operator.got == ["+1"]


def test_what_another_process_submits_is_uncertain() -> None:
    world = World()
    entry = Entry(Status.SUBMITTING, accepted_at_ms=5, note=b"another")
    world.redis.entries[key_of(_request(1))] = entry
    world.run([_request(1)])
    assert world.ends() == {"premium-day/1": (Status.FAILED, Reason.UNCERTAIN)}
    assert world.operator.got == []


def test_a_reservation_of_its_own_that_nobody_wrote_down_is_uncertain() -> None:
    world = World()
    world.ledger.refusals = {1: Reservation(Outcome.REPEATED)}
    world.run([_request(1)])
    assert world.ends() == {"premium-day/1": (Status.FAILED, Reason.UNCERTAIN)}
    assert world.operator.got == []


def test_a_process_that_loses_the_race_submits_nothing() -> None:
    world = World()

    class Racing(FakeLedger):
        def reserve(self, requests):  # type: ignore[no-untyped-def]
            entry = Entry(Status.SUBMITTING, accepted_at_ms=5, note=b"another")
            self.redis.entries[key_of(_request(1))] = entry
            return super().reserve(requests)

    world.ledger = Racing(world.redis)
    world.restart()
    with pytest.raises(Unavailable, match="another instance"):
        world.dispatcher.dispatch([_request(1)])
    assert world.operator.got == []


def test_a_ledger_that_does_not_answer_makes_it_wait() -> None:
    world = World(Faults(at=3, error=LedgerUnavailable))
    with pytest.raises(Unavailable, match="contact ledger"):
        world.dispatcher.dispatch([_request(1)])
    world.run([_request(1)])
    assert world.ends() == {"premium-day/1": (Status.SENT, Reason.NONE)}


def test_without_budget_a_request_ends_and_reserves_nothing() -> None:
    world = World()
    world.budgets.left = 2
    world.run([_request(1), _request(2), _request(3)])
    assert world.ends() == {
        "premium-day/1": (Status.SENT, Reason.NONE),
        "premium-day/2": (Status.SENT, Reason.NONE),
        "premium-day/3": (Status.SUPPRESSED, Reason.BUDGET_SPENT),
    }
    assert {customer_id for customer_id, _ in world.redis.reserved} == {1, 2}


def test_only_what_may_have_been_sent_uses_up_the_budget() -> None:
    world = World()
    world.budgets.left = 5
    world.operator.answers = {"+2": [REFUSED], "+3": [UNCERTAIN], "+4": [THROTTLED]}
    world.ledger.refusals = {5: Reservation(Outcome.CAPPED, CapKind.DAY)}
    world.run([_request(customer_id) for customer_id in range(1, 6)])
    assert world.budgets.left == 5 - 3  # +1, +3 and +4 may have been sent


def test_a_budget_that_cannot_be_read_makes_requests_wait_and_keeps_no_unit() -> None:
    world = World()
    world.budgets.available = False
    with pytest.raises(Unavailable, match="budget"):
        world.dispatcher.dispatch([_request(1), _request(2)])
    world.budgets = FakeBudgets(left=2)
    world.restart()
    world.run([_request(1), _request(2)])
    assert [end for end, _ in world.ends().values()] == [Status.SENT] * 2


def test_a_ledger_that_does_not_answer_keeps_no_unit() -> None:
    world = World(Faults(at=3, error=LedgerUnavailable))
    world.budgets.left = 1
    with pytest.raises(Unavailable, match="contact ledger"):
        world.dispatcher.dispatch([_request(1)])
    assert world.budgets.left == 1


REQUESTS = [_request(customer_id) for customer_id in range(1, 7)] + [_request(99), _request(1, "again/1")]


def _world_of_everything(faults: Faults) -> World:
    world = World(faults)
    world.operator.answers = {"+2": [REFUSED], "+3": [UNCERTAIN], "+4": [THROTTLED], "+5": [NO_SESSION]}
    world.redis.profiles[6] = replace(PROFILE, active=False)
    return world


def _units_needed(world: World) -> int:
    """For all that the operator may have; it refused +2."""
    return len(set(world.operator.got) - {"+2"})


def _calls() -> int:
    faults = Faults()
    _world_of_everything(faults).run(REQUESTS)
    return faults.calls


CALLS = _calls()
assert CALLS > 10


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, CALLS + 1))
def test_whichever_call_the_process_dies_in_nobody_gets_two_messages(at: int, after: bool) -> None:
    world = _world_of_everything(Faults(at, after))
    world.run(REQUESTS)
    ends = world.ends()
    assert ends.keys() == {request.request_id for request in REQUESTS}
    assert len(world.operator.got) == len(set(world.operator.got))
    assert world.budgets.used >= _units_needed(world)
    told_sent = {request_id for request_id, (status, _) in ends.items() if status is Status.SENT}
    assert told_sent <= {f"premium-day/{number[1:]}" for number in world.operator.got}
    assert ends["premium-day/6"] == (Status.SUPPRESSED, Reason.INACTIVE)
    assert ends["premium-day/99"] == (Status.SUPPRESSED, Reason.UNKNOWN_CUSTOMER)
    assert ends["again/1"][0] is Status.SUPPRESSED


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, CALLS + 1))
def test_whichever_call_redis_is_away_in_nobody_gets_two_messages(at: int, after: bool) -> None:
    world = _world_of_everything(Faults(at, after, Unavailable))
    undisturbed = _world_of_everything(Faults())
    undisturbed.run(REQUESTS)
    world.run(REQUESTS)
    assert len(world.operator.got) == len(set(world.operator.got))
    assert world.budgets.used >= _units_needed(world)
    lost_answer = (Status.FAILED, Reason.UNCERTAIN)
    for request_id, end in undisturbed.ends().items():
        assert world.ends()[request_id] in ((end, lost_answer) if after else (end,))
