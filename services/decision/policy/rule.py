"""What a rule is."""

from collections.abc import Callable
from dataclasses import dataclass

from interlude.contacts.campaign import Campaign
from services.decision.policy.changes import Way
from services.decision.policy.facts import Facts
from services.decision.policy.reasons import Reason, Rung

Matches = Callable[[Facts], bool]


def _always(_campaign: Campaign) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason against showing."""

    reason: Reason
    matches: Matches
    detail: Callable[[Facts], str]
    """The values compared, for a person."""
    ways: Callable[[Facts], tuple[Way, ...]]
    """Where it matches: each of these by itself makes it not match, the nearest first; empty: nothing that is known here does."""
    compares: str
    """What it compares, for docs/policy.md."""
    remedy: str
    """What would change it, in general."""
    fields: tuple[str, ...] = ()
    """The campaign's fields that it looks at."""
    rungs: tuple[Rung, ...] = (Rung.FULL, Rung.NO_MODEL, Rung.PRIOR)
    """The rungs of answers that it decides."""
    concerns: Callable[[Campaign], bool] = _always
    """Whether it can match at all with this campaign: a decision leaves those that cannot out."""
    quick: Callable[[Campaign], Matches] | None = None
    """`matches` for the facts of one campaign, made faster by what is known of it; None: it is fast enough."""
