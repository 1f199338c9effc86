"""Budgets over many replicas: each leases units from Redis, some at a time, and gives them away by itself.

`b:{campaign}` is the number of units leased out so far, by all replicas together; it never exceeds what the campaign may
give by then, so nothing is ever overspent. It is touched once per lease, not per decision. A lease takes a sixteenth of what
is open, so that the last units are shared by all who ask, and at most 100.

A unit belongs to its replica until it is given away or returned. A replica returns what it does not use, and all of it when
it stops. One that is killed takes its units with it: they count as spent, at most 150 (a lease, and the half of the last one
at which the next is fetched), and never more than a tenth of what was open when it asked, or one. So do returned units where
the answer was lost.

Where Redis does not answer, units in hand are still given; with none in hand the answer is "paced", hence no ad: whether
there is any left is not known.
"""

import threading
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, NamedTuple

from redis.exceptions import RedisError

from interlude.contacts.budget import BudgetState, Terms, allowance, closed_state, due_ms, terms_of
from interlude.contacts.campaign import Campaign
from interlude.contacts.script import Commands, Script

LEASED_PART: Final = 16
"""One lease takes one part in so many of what is open."""

LARGEST_LEASE: Final = 100
IDLE_SECONDS: Final = 10.0
"""A lease from which nothing was taken for this long is returned at the next `refill`."""

SPENT_SECONDS: Final = 1.0
"""How long "spent" is believed before Redis is asked again: others may have returned units."""

SHORTEST_PAUSE_SECONDS: Final = 0.02
"""How soon a paced budget is asked for again at the earliest, though the next unit may be due earlier."""

FAILED_SECONDS: Final = 0.1
"""After a failure Redis is left alone for this long."""

_REQUEST_KEPT_MS: Final = 60 * 60 * 1000
"""A lease whose answer was lost is asked for again as soon as there is a decision to make."""

_SCRIPT: Final = Script("lease.lua")


class Flow(StrEnum):
    """Which way units went, for metrics. Spent: taken minus given back."""

    LEASED = "leased"
    TAKEN = "taken"
    GIVEN_BACK = "given_back"
    RETURNED = "returned"


class BudgetUnavailable(Exception):
    """Redis did not answer: whether there is a unit left is not known."""


def budget_key(campaign: Campaign) -> str:
    """Where the units leased out of a campaign's budget are counted. Kept for ever: a forgotten budget would begin anew."""
    return f"b:{{{campaign.campaign_hash:016x}}}"


class _Verdict(NamedTuple):
    """What Redis said about `campaign`, believed until `until_seconds`; `is_known` false: it said nothing."""

    campaign: Campaign | None
    state: BudgetState
    until_seconds: float = 0.0
    is_known: bool = True

    def holds(self, campaign: Campaign, seconds: float) -> bool:
        """Whether it need not be asked again: another document may have other terms."""
        return campaign is self.campaign and seconds < self.until_seconds


_OPEN: Final = _Verdict(None, BudgetState.OPEN)


class _Lease:
    """The units of one campaign in this process."""

    def __init__(self, campaign: Campaign, seconds: float) -> None:
        self.campaign = campaign
        """As the newest caller knows it."""
        self.units = 0
        self.granted = 0
        """Units of the newest grant."""
        self.taken = 0
        """Units ever taken."""
        self.taken_before = 0
        self.used_seconds = seconds
        """When `refill` last saw that some were taken."""
        self.request = 0
        self.is_answered = True
        self.verdict = _OPEN
        self.asking = threading.Lock()
        """Held while Redis is asked; those who find units in hand do not wait for it."""
        self._counting = threading.Lock()

    def take(self) -> bool:
        with self._counting:
            if self.units <= 0:
                return False
            self.units -= 1
            self.taken += 1
            return True

    def add(self, units: int) -> None:
        with self._counting:
            self.units += units

    def empty(self) -> int:
        with self._counting:
            units, self.units = self.units, 0
            return units


class BudgetLeases:
    """The budgets of all campaigns, as one process sees them. Safe between threads where `commands` is."""

    def __init__(
        self,
        commands: Commands,
        *,
        holder: str,
        now_ms: Callable[[], int],
        timeout_seconds: float,
        on_units: Callable[[str, Flow, int], None] = lambda _campaign_id, _flow, _units: None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """`holder` names this process and no other; no request for units takes longer than `timeout_seconds`; `on_units` is told
        campaign id, way and number of units that move; `seconds` is a monotonic clock."""
        self._commands = commands
        self._holder = holder
        self._now_ms = now_ms
        self._timeout_seconds = timeout_seconds
        self._on_units = on_units
        self._seconds = seconds
        self._leases: dict[int, _Lease] = {}

    def state(self, campaign: Campaign, now_ms: int) -> BudgetState:
        """Whether there is a unit to take. Asks Redis only where none is in hand and it did not say so a moment ago."""
        if campaign.budget is None:
            return BudgetState.OPEN
        lease = self._lease(campaign)
        return BudgetState.OPEN if lease.units > 0 else self._fill(lease, campaign, now_ms).state

    def take(self, campaign: Campaign, now_ms: int) -> bool:
        """Take one unit; false where there is none to be had now, or Redis does not answer."""
        return self._take(campaign, now_ms).state is BudgetState.OPEN

    def claim(self, campaign: Campaign, now_ms: int) -> bool:
        """As `take`, for a caller that can come back later: raises `BudgetUnavailable` where Redis does not answer."""
        verdict = self._take(campaign, now_ms)
        if not verdict.is_known:
            raise BudgetUnavailable(campaign.campaign_id)
        return verdict.state is BudgetState.OPEN

    def give_back(self, campaign: Campaign) -> None:
        """Put a taken unit back whose offer was not made."""
        if campaign.budget is not None:
            self._lease(campaign).add(1)
            self._on_units(campaign.campaign_id, Flow.GIVEN_BACK, 1)

    def refill(self) -> None:
        """Fetch units ahead for campaigns that give many, so that no decision waits for Redis; return those that nobody takes."""
        for lease in list(self._leases.values()):
            # Whoever holds the lock is asking Redis already.
            if lease.asking.acquire(blocking=False):
                try:
                    self._refill(lease)
                finally:
                    lease.asking.release()

    def run_until(self, stop: threading.Event, every_seconds: float) -> None:
        """Refill again and again until `stop` is set."""
        while not stop.wait(every_seconds):
            self.refill()

    def return_all(self) -> None:
        """Hand back every unit in hand, for others to give. To be called when nobody takes any more; gives up at the first that
        Redis does not answer."""
        for lease in list(self._leases.values()):
            with lease.asking:
                if not self._return(lease):
                    return

    def _lease(self, campaign: Campaign) -> _Lease:
        lease = self._leases.get(campaign.campaign_hash)
        if lease is None:
            lease = self._leases.setdefault(campaign.campaign_hash, _Lease(campaign, self._seconds()))
        lease.campaign = campaign
        return lease

    def _take(self, campaign: Campaign, now_ms: int) -> _Verdict:
        if campaign.budget is None:
            return _OPEN
        lease = self._lease(campaign)
        # Others may be faster at what one of us has just leased.
        while not lease.take():
            verdict = self._fill(lease, campaign, now_ms)
            if verdict.state is not BudgetState.OPEN:
                return verdict
        self._on_units(campaign.campaign_id, Flow.TAKEN, 1)
        return _OPEN

    def _fill(self, lease: _Lease, campaign: Campaign, now_ms: int) -> _Verdict:
        """Lease units where none are in hand. One thread asks, the others wait for what it is told."""
        verdict = lease.verdict
        if verdict.holds(campaign, self._seconds()):
            return verdict
        with lease.asking:
            if lease.units > 0:
                return _OPEN
            if lease.verdict.holds(campaign, self._seconds()):
                return lease.verdict
            return self._ask(lease, campaign, now_ms)

    def _ask(self, lease: _Lease, campaign: Campaign, now_ms: int) -> _Verdict:
        terms = terms_of(campaign) or Terms(0)
        if lease.is_answered:
            lease.request += 1
        lease.is_answered = False
        try:
            granted, leased = self._run(lease, returned=0, allowed=allowance(terms, now_ms))
        except RedisError:
            until_seconds = self._seconds() + FAILED_SECONDS
            lease.verdict = _Verdict(campaign, BudgetState.PACED, until_seconds, is_known=False)
            return lease.verdict
        lease.is_answered = True
        if granted:
            lease.granted = granted
            lease.add(granted)
            lease.verdict = _OPEN
            self._on_units(campaign.campaign_id, Flow.LEASED, granted)
        else:
            until_seconds = self._seconds() + _pause_seconds(terms, leased, now_ms)
            lease.verdict = _Verdict(campaign, closed_state(terms, leased), until_seconds)
        return lease.verdict

    def _refill(self, lease: _Lease) -> None:
        now_seconds = self._seconds()
        if lease.taken != lease.taken_before:
            lease.taken_before = lease.taken
            lease.used_seconds = now_seconds
            is_low = lease.units <= lease.granted // 2
            if is_low and not lease.verdict.holds(lease.campaign, now_seconds):
                self._ask(lease, lease.campaign, self._now_ms())
        elif now_seconds - lease.used_seconds >= IDLE_SECONDS:
            self._return(lease)

    def _return(self, lease: _Lease) -> bool:
        """Whether Redis has what was in hand."""
        units = lease.empty()
        if not units:
            return True
        lease.request += 1
        lease.is_answered = True
        try:
            self._run(lease, returned=units, allowed=0)
        except RedisError:
            # Redis may have them or not. To return them again could mean to give them twice, so they count as spent.
            return False
        self._on_units(lease.campaign.campaign_id, Flow.RETURNED, units)
        return True

    def _run(self, lease: _Lease, *, returned: int, allowed: int) -> tuple[int, int]:
        """Units granted, and units leased out to all by then. Raises `RedisError`."""
        key = budget_key(lease.campaign)
        command = _SCRIPT.command(
            [key, f"{key}:{self._holder}"],
            [lease.request, returned, allowed, LEASED_PART, LARGEST_LEASE, _REQUEST_KEPT_MS],
        )
        answer: list[Any] = _SCRIPT.run(self._commands, [command], self._timeout_seconds)[0]
        return answer[0], answer[1]


def _pause_seconds(terms: Terms, leased: int, now_ms: int) -> float:
    """How long a refusal is believed: until the next unit is due, and no longer than that others may have returned some."""
    next_ms = due_ms(terms, leased + 1)
    if next_ms is None:
        return SPENT_SECONDS
    return min(max((next_ms - now_ms) / 1000, SHORTEST_PAUSE_SECONDS), SPENT_SECONDS)
