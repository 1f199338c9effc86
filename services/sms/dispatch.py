"""A few requests at a time, from "may we?" to "what became of it". At most once, whatever crashes where.

A request's message is submitted only after (1) the ledger answered RESERVED to it, which it does once per customer and
campaign, and (2) its journal entry was changed atomically to SUBMITTING with this process's token. Whoever finds another
process's SUBMITTING entry, or a reservation without an entry, ends the request as uncertain and submits nothing.

A message promises a discount, so a unit of the campaign's budget is taken before (1). A budget that is spent, or whose next
unit is not due yet, ends the request: to wait would hold up every other campaign behind it. The unit of a message that the
operator refused goes back when that is written down; one of uncertain fate stays spent.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import structlog

from interlude.contacts.campaign import Campaign
from interlude.contacts.caps import Channel, windows
from interlude.contacts.leases import BudgetUnavailable
from interlude.contacts.ledger import LedgerUnavailable, Outcome, Reservation, ReservationRequest
from interlude.servicekit.errors import Unavailable
from services.sms.endings import CurrentCampaigns, Endings, EventOutbox
from services.sms.journal import Change, Entry, RequestKey, Status, key_of
from services.sms.messages import OutgoingText, encode_text
from services.sms.metrics import SmsMetrics
from services.sms.policy import Reason, TextProfile, TextRequest, judge
from services.sms.submission import SubmitOutcome, SubmitResult

_REFUSALS: Final = {
    Outcome.ALREADY_CONTACTED: Reason.ALREADY_SENT,
    Outcome.CAPPED: Reason.FREQUENCY_CAP,
}

log = structlog.get_logger()


class Profiles(Protocol):
    """Profiles by customer."""

    def read(self, customer_ids: Sequence[int]) -> dict[int, TextProfile]: ...


class Phones(Protocol):
    """Opens sealed phone numbers."""

    def open(self, customer_id: int, sealed: bytes) -> str: ...


class Ledger(Protocol):
    """The contact ledger."""

    def reserve(self, requests: Sequence[ReservationRequest]) -> list[Reservation]: ...


class Budgets(Protocol):
    """What campaigns have left to give. `claim` takes a unit and raises `BudgetUnavailable` where nobody knows."""

    def claim(self, campaign: Campaign, now_ms: int) -> bool: ...

    def give_back(self, campaign: Campaign) -> None: ...


class RequestJournal(Protocol):
    """How far each request got."""

    def read(self, keys: Sequence[RequestKey]) -> dict[RequestKey, Entry]: ...

    def replace(self, changes: Sequence[Change]) -> list[bool]: ...

    def write(self, ends: Mapping[RequestKey, tuple[TextRequest, Entry]]) -> None: ...


class Operator(Protocol):
    """Takes messages. `submit` gives one result per message and raises nothing."""

    @property
    def is_bound(self) -> bool: ...

    def submit(self, messages: Sequence[OutgoingText]) -> list[SubmitResult]: ...


class _Candidate(NamedTuple):
    """A request that no rule speaks against, with what it takes to send it. `withheld`: no rule but the holdout; it gets its place
    in the ledger as if it were sent, so that the groups that are compared are capped alike."""

    request: TextRequest
    campaign: Campaign
    message: OutgoingText
    known: Entry | None
    withheld: bool


class Dispatcher:
    """Ends requests. `token` names this process and no other; `throttle_limit_ms` bounds how long one is offered."""

    def __init__(
        self,
        *,
        campaigns: CurrentCampaigns,
        profiles: Profiles,
        phones: Phones,
        budgets: Budgets,
        ledger: Ledger,
        journal: RequestJournal,
        operator: Operator,
        outbox: EventOutbox,
        metrics: SmsMetrics,
        now_ms: Callable[[], int],
        token: bytes,
        throttle_limit_ms: int,
    ) -> None:
        self._campaigns = campaigns
        self._profiles = profiles
        self._phones = phones
        self._budgets = budgets
        self._ledger = ledger
        self._journal = journal
        self._operator = operator
        self._endings = Endings(journal, outbox, campaigns, budgets, metrics, now_ms)
        self._metrics = metrics
        self._now_ms = now_ms
        self._token = token
        self._throttle_limit_ms = throttle_limit_ms
        self._reserved: dict[RequestKey, int] = {}
        """Reserved by us at that time, and not yet in the journal."""
        self._throttled_since_ms: dict[RequestKey, int] = {}

    def dispatch(self, requests: Sequence[TextRequest]) -> None:
        """1. what ended before is told again and not done again; 2. rules; 3. is there a session?; 4. take a unit of the budget,
        reserve; 5. claim; 6. submit; 7. write down how it ended, then tell.

        `requests` are different ones. Raises `Unavailable`: then call again with the same.
        """
        self._endings.settle()
        known = self._journal.read([key_of(request) for request in requests])
        candidates = self._judge([request for request in requests if self._is_open(request, known)], known)
        self._endings.settle()
        if not candidates:
            return
        if not self._operator.is_bound:
            raise Unavailable("no session with the SMS operator")
        claimed = self._claim(self._reserve(candidates))
        # Nothing may come between the submission and `_endings` having its results.
        waiting = self._submit(claimed)
        self._endings.settle()
        if waiting:
            self._journal.replace(waiting)
            raise Unavailable("the SMS operator takes no more messages now")

    def _is_open(self, request: TextRequest, known: Mapping[RequestKey, Entry]) -> bool:
        """Whether something is still to be done for `request`; ends those that nobody knows the fate of."""
        entry = known.get(key_of(request))
        if entry is None or entry.status is Status.ACCEPTED:
            return True
        if entry.status is not Status.SUBMITTING:
            if self._endings.tell(request, entry):
                self._metrics.repeated.inc()
            return False
        if entry.note == self._token:
            return True  # ours, and no end is known to us: Redis went away before we submitted anything
        self._end(request, Status.FAILED, Reason.UNCERTAIN, entry.accepted_at_ms)
        return False

    def _judge(self, requests: Sequence[TextRequest], known: Mapping[RequestKey, Entry]) -> list[_Candidate]:
        profiles = self._profiles.read([request.customer_id for request in requests])
        campaigns, now_ms = self._campaigns.current, self._now_ms()
        candidates = []
        for request in requests:
            campaign = campaigns.find(request.campaign_id)
            profile = profiles.get(request.customer_id)
            reason = judge(request, campaign, profile, now_ms)
            entry = known.get(key_of(request))
            withheld = reason is Reason.HOLDOUT and entry is None and key_of(request) not in self._reserved
            if (reason and not withheld) or campaign is None or profile is None:
                self._end(request, Status.SUPPRESSED, reason, entry.accepted_at_ms if entry else 0)
            else:
                phone = self._phones.open(request.customer_id, profile.sealed_phone)
                message = OutgoingText(phone, encode_text(campaign.sms_text))
                candidates.append(_Candidate(request, campaign, message, entry, withheld))
        return candidates

    def _reserve(self, candidates: Sequence[_Candidate]) -> list[_Candidate]:
        """Those for which the right to send is ours; the others end here."""
        asking = [one for one in candidates if one.known is None and key_of(one.request) not in self._reserved]
        now_ms = self._now_ms()
        granted = self._take_units(asking, now_ms)
        try:
            answers = self._ledger.reserve([_reservation(one, now_ms) for one in granted]) if granted else []
        except LedgerUnavailable as error:
            # What the ledger did all the same is uncertain when asked again, and sends nothing.
            self._give_back(granted)
            raise Unavailable(f"the contact ledger does not answer: {error}") from error
        for one, answer in zip(granted, answers, strict=True):
            if answer.outcome is Outcome.RESERVED and not one.withheld:
                self._reserved[key_of(one.request)] = now_ms
                continue
            self._give_back([one])
            if one.withheld:
                # Nothing is sent: a place that an earlier attempt took is as good as one taken now.
                self._end(one.request, Status.SUPPRESSED, _REFUSALS.get(answer.outcome, Reason.HOLDOUT), 0)
            elif answer.outcome is Outcome.REPEATED:
                self._end(one.request, Status.FAILED, Reason.UNCERTAIN, 0)
            else:
                self._end(one.request, Status.SUPPRESSED, _REFUSALS[answer.outcome], 0)
        return [one for one in candidates if one.request not in self._endings]

    def _take_units(self, asking: Sequence[_Candidate], now_ms: int) -> list[_Candidate]:
        """Those that have a unit of their campaign's budget now; the others end here."""
        granted: list[_Candidate] = []
        for one in asking:
            try:
                is_granted = self._budgets.claim(one.campaign, now_ms)
            except BudgetUnavailable as error:
                self._give_back(granted)
                raise Unavailable("the budget cannot be read") from error
            if is_granted:
                granted.append(one)
            else:
                self._end(one.request, Status.SUPPRESSED, Reason.BUDGET_SPENT, 0)
        return granted

    def _give_back(self, candidates: Sequence[_Candidate]) -> None:
        for one in candidates:
            self._budgets.give_back(one.campaign)

    def _claim(self, candidates: Sequence[_Candidate]) -> list[tuple[_Candidate, Entry]]:
        """Candidates with their SUBMITTING entries, written."""
        claimed = [(one, self._submitting(one)) for one in candidates]
        done = self._journal.replace([Change(key_of(one.request), one.known, entry) for one, entry in claimed])
        for one, _ in claimed:
            self._reserved.pop(key_of(one.request), None)
        if not all(done):
            raise Unavailable("another instance works on the same requests")
        for one, entry in claimed:
            self._endings.tell_accepted(one.request, entry.accepted_at_ms)
        return claimed

    def _submitting(self, one: _Candidate) -> Entry:
        accepted_at_ms = one.known.accepted_at_ms if one.known else self._reserved[key_of(one.request)]
        return Entry(Status.SUBMITTING, accepted_at_ms=accepted_at_ms, note=self._token)

    def _submit(self, claimed: Sequence[tuple[_Candidate, Entry]]) -> list[Change]:
        """Submit all; returns the way back to ACCEPTED for those that the operator has certainly not taken."""
        if not claimed:
            return []
        results = self._operator.submit([one.message for one, _ in claimed])
        waiting = []
        for (one, entry), result in zip(claimed, results, strict=True):
            if result.outcome is SubmitOutcome.NOT_TAKEN and not self._is_throttled_too_long(one.request, result):
                accepted = Entry(Status.ACCEPTED, accepted_at_ms=entry.accepted_at_ms)
                waiting.append(Change(key_of(one.request), entry, accepted))
            else:
                self._end_submitted(one.request, entry, result)
        return waiting

    def _is_throttled_too_long(self, request: TextRequest, result: SubmitResult) -> bool:
        if not result.command_status:
            return False
        now_ms = self._now_ms()
        since_ms = self._throttled_since_ms.setdefault(key_of(request), now_ms)
        return now_ms - since_ms >= self._throttle_limit_ms

    def _end_submitted(self, request: TextRequest, entry: Entry, result: SubmitResult) -> None:
        if result.outcome is SubmitOutcome.TAKEN:
            self._end(request, Status.SENT, Reason.NONE, entry.accepted_at_ms, result.message_id)
        elif result.outcome is SubmitOutcome.UNCERTAIN:
            self._end(request, Status.FAILED, Reason.UNCERTAIN, entry.accepted_at_ms)
        else:
            log.warning("operator refused", command_status=result.command_status)
            self._end(request, Status.FAILED, Reason.OPERATOR_REFUSED, entry.accepted_at_ms)

    def _end(
        self, request: TextRequest, status: Status, reason: Reason, accepted_at_ms: int, message_id: str = ""
    ) -> None:
        self._throttled_since_ms.pop(key_of(request), None)
        self._endings.add(request, status, reason, accepted_at_ms, message_id)


def _reservation(one: _Candidate, now_ms: int) -> ReservationRequest:
    key = key_of(one.request)
    return ReservationRequest(
        key.customer_id,
        key.request_hash,
        one.campaign,
        Channel.SMS,
        now_ms,
        windows(one.campaign, None, now_ms),
        once=True,
        withheld=one.withheld,
    )
