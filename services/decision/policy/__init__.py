"""Who is shown the offer. Pure: no I/O, no clock.

Rules in order, the first that matches is the answer (`rules.RULES`); after them chance, as far as a campaign leaves it any.
`Decide` asks for the first match (`decide`), `Explain` asks all rules everything and what would change the answer (`nearest_yes`).
docs/policy.md is made from this package.
"""

from services.decision.policy.changes import Change, Way, apply
from services.decision.policy.deciding import CERTAIN, Verdict, decide
from services.decision.policy.facts import Facts
from services.decision.policy.nearest import nearest_yes
from services.decision.policy.reasons import SHOWN, UNREAD, Reason, Rung
from services.decision.policy.rule import Rule
from services.decision.policy.rules import RULES

__all__ = [
    "CERTAIN",
    "RULES",
    "SHOWN",
    "UNREAD",
    "Change",
    "Facts",
    "Reason",
    "Rule",
    "Rung",
    "Verdict",
    "Way",
    "apply",
    "decide",
    "nearest_yes",
]
