"""Redis, Kafka and the operator as dictionaries, each call of which can be made to fail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from interlude.contacts.campaign import Campaign, Campaigns
from interlude.contacts.leases import BudgetUnavailable
from interlude.contacts.ledger import Outcome, Reservation, ReservationRequest
from interlude.servicekit.errors import Unavailable
from services.sms.journal import Change, Entry, RequestKey, SentText, Status
from services.sms.messages import OutgoingText
from services.sms.policy import Reason, TextProfile, TextRequest
from services.sms.submission import SubmitOutcome, SubmitResult

TAKEN = SubmitResult(SubmitOutcome.TAKEN, "id")
REFUSED = SubmitResult(SubmitOutcome.REFUSED, command_status=0x0B)
THROTTLED = SubmitResult(SubmitOutcome.NOT_TAKEN, command_status=0x58)
NO_SESSION = SubmitResult(SubmitOutcome.NOT_TAKEN)
UNCERTAIN = SubmitResult(SubmitOutcome.UNCERTAIN)


class Crash(Exception):
    """The process dies."""


@dataclass
class Faults:
    """Fails the `at`-th call (from 1), before or after it had its effect."""

    at: int = 0
    after: bool = False
    error: type[Exception] = Crash
    calls: int = 0

    def before_call(self) -> None:
        self.calls += 1
        if self.calls == self.at and not self.after:
            raise self.error("before")

    def after_call(self) -> None:
        if self.calls == self.at and self.after:
            raise self.error("after")


@dataclass
class FakeRedis:
    """What outlives the process."""

    faults: Faults = field(default_factory=Faults)
    profiles: dict[int, TextProfile] = field(default_factory=dict)
    entries: dict[RequestKey, Entry] = field(default_factory=dict)
    reserved: dict[tuple[int, str], int] = field(default_factory=dict)


@dataclass
class FakeCampaigns:
    """Campaigns that a test changes."""

    current: Campaigns


@dataclass
class FakeProfiles:
    redis: FakeRedis

    def read(self, customer_ids: Sequence[int]) -> dict[int, TextProfile]:
        self.redis.faults.before_call()
        return {one: self.redis.profiles[one] for one in customer_ids if one in self.redis.profiles}


@dataclass
class FakePhones:
    def open(self, customer_id: int, sealed: bytes) -> str:
        return f"{sealed.decode()}{customer_id}"


@dataclass
class FakeLedger:
    redis: FakeRedis
    refusals: dict[int, Reservation] = field(default_factory=dict)
    withheld: set[int] = field(default_factory=set)
    """Customers whose contact was withheld."""

    def reserve(self, requests: Sequence[ReservationRequest]) -> list[Reservation]:
        self.redis.faults.before_call()
        answers = [self._reserve(request) for request in requests]
        self.redis.faults.after_call()
        return answers

    def _reserve(self, request: ReservationRequest) -> Reservation:
        if request.withheld:
            self.withheld.add(request.customer_id)
        if request.customer_id in self.refusals:
            return self.refusals[request.customer_id]
        marker = (request.customer_id, request.campaign.campaign_id)
        holder = self.redis.reserved.setdefault(marker, request.request_hash)
        if holder != request.request_hash:
            return Reservation(Outcome.ALREADY_CONTACTED)
        fresh = (request.customer_id, f"{request.campaign.campaign_id}!")
        if fresh in self.redis.reserved:
            return Reservation(Outcome.REPEATED)
        self.redis.reserved[fresh] = 1
        return Reservation(Outcome.RESERVED)


@dataclass
class FakeBudgets:
    """`left` units, for all campaigns together. `available` false: Redis does not answer."""

    left: int = 1000
    available: bool = True
    used: int = 0

    def claim(self, campaign: Campaign, now_ms: int) -> bool:  # noqa: ARG002 (as the leases are asked)
        if not self.available:
            raise BudgetUnavailable(campaign.campaign_id)
        if self.left == 0:
            return False
        self.left -= 1
        self.used += 1
        return True

    def give_back(self, campaign: Campaign) -> None:  # noqa: ARG002
        self.left += 1
        self.used -= 1


@dataclass
class FakeJournal:
    redis: FakeRedis

    def read(self, keys: Sequence[RequestKey]) -> dict[RequestKey, Entry]:
        self.redis.faults.before_call()
        return {key: self.redis.entries[key] for key in keys if key in self.redis.entries}

    def replace(self, changes: Sequence[Change]) -> list[bool]:
        self.redis.faults.before_call()
        answers = [self._replace(change) for change in changes]
        self.redis.faults.after_call()
        return answers

    def write(self, ends: Mapping[RequestKey, tuple[TextRequest, Entry]]) -> None:
        self.redis.faults.before_call()
        self.redis.entries |= {key: entry for key, (_, entry) in ends.items()}
        self.redis.faults.after_call()

    def _replace(self, change: Change) -> bool:
        known = self.redis.entries.get(change.key)
        if known not in (change.before, change.after):
            return False
        self.redis.entries[change.key] = change.after
        return True


@dataclass
class FakeOperator:
    """Answers by number: the next of `answers`, else TAKEN. `got` has what it may have: everything but NOT_TAKEN."""

    faults: Faults = field(default_factory=Faults)
    answers: dict[str, list[SubmitResult]] = field(default_factory=dict)
    got: list[str] = field(default_factory=list)
    is_bound: bool = True

    def submit(self, messages: Sequence[OutgoingText]) -> list[SubmitResult]:
        crash = self.faults.error is Crash
        if crash:
            self.faults.before_call()
        results = [self._submit(message.destination) for message in messages]
        if crash:
            self.faults.after_call()
        return results

    def _submit(self, number: str) -> SubmitResult:
        waiting = self.answers.get(number)
        result = waiting.pop(0) if waiting else TAKEN
        if result.outcome is not SubmitOutcome.NOT_TAKEN:
            self.got.append(number)
        return result


@dataclass
class FakeOutbox:
    """`told` is Kafka: it has what was flushed, in order, repeats included."""

    told: list[tuple[str, Status, Reason, int, str]] = field(default_factory=list)
    queued: dict[str, tuple[str, Status, Reason, int, str]] = field(default_factory=dict)
    is_full: bool = False

    def put_event(self, sent: SentText, status: Status, reason: Reason, at_ms: int, message_id: str = "") -> bool:
        if self.is_full:
            raise Unavailable("full")
        event_id = f"{sent.request_id}/{status.name}"
        if event_id in self.queued:
            return False
        self.queued[event_id] = (sent.request_id, status, reason, at_ms, message_id)
        return True

    def flush(self) -> None:
        self.told += self.queued.values()
        self.queued.clear()
