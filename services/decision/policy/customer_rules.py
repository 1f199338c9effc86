"""Rules about who the customer is."""

from collections.abc import Callable
from typing import Final

from interlude.features.codec import ProfileFlag
from interlude.features.state import Level
from services.decision.policy.changes import Way, campaign_change, profile_change
from services.decision.policy.facts import Facts, by_prior
from services.decision.policy.reasons import UNREAD, Reason
from services.decision.policy.rule import Rule
from services.decision.policy.texts import yes_no

# As plain integers: an operation on an enum costs more than the rule it serves.
_KNOWN: Final = ProfileFlag.KNOWN.value
_ACTIVE: Final = ProfileFlag.ACTIVE.value
_CONSENT: Final = ProfileFlag.CONSENT_PLAYER_OFFERS.value
_GOLD: Final = Level.GOLD.value
_ORDINARY: Final = _KNOWN | _ACTIVE | _CONSENT


def _is_unread(facts: Facts) -> bool:
    return facts.rung in UNREAD


def _is_known(facts: Facts) -> bool:
    listener = facts.listener
    return listener is not None and listener.flags & _KNOWN != 0


def _is_unknown(facts: Facts) -> bool:
    return not _is_known(facts) and not by_prior(facts)


def _is_inactive(facts: Facts) -> bool:
    listener = facts.listener
    return listener is not None and listener.flags & (_KNOWN | _ACTIVE) == _KNOWN


def _is_gold(facts: Facts) -> bool:
    listener = facts.listener
    return listener is not None and listener.level == _GOLD and listener.flags & _KNOWN != 0


def _refuses(facts: Facts) -> bool:
    listener = facts.listener
    return listener is not None and listener.flags & (_KNOWN | _CONSENT) == _KNOWN


def is_ordinary(facts: Facts) -> bool:
    """Whether no rule of `CUSTOMER_RULES` can match, in one look: nearly every customer is such a one."""
    listener = facts.listener
    return (
        listener is not None
        and listener.flags & _ORDINARY == _ORDINARY
        and listener.level != _GOLD
        and facts.rung not in UNREAD
    )


def _profile_text(facts: Facts) -> str:
    if _is_unread(facts):
        known = "nothing was read of this customer"
    elif facts.listener is None:
        known = "nothing is known of this customer"
    else:
        known = "a profile is known" if _is_known(facts) else "listens are known, a profile is not"
    return f"{known}; decided by the prior" if not _is_known(facts) and by_prior(facts) else known


def _level_text(facts: Facts) -> str:
    return f"level {Level(facts.listener.level).name}" if facts.listener else "no level known"


def _flag_text(question: str, flag: int) -> Callable[[Facts], str]:
    def text(facts: Facts) -> str:
        known = facts.listener is not None and _is_known(facts)
        return f"{question}: {yes_no(facts.listener.flags & flag != 0) if facts.listener and known else 'not known'}"

    return text


def _ways(*ways: Way) -> Callable[[Facts], tuple[Way, ...]]:
    return lambda _facts: ways


UNREAD_RULE: Final = Rule(
    Reason.UNAVAILABLE,
    _is_unread,
    lambda facts: f"features: {'not read' if _is_unread(facts) else 'read'}",
    _ways(),
    "whether the listener could be read in time",
    "the feature store has to answer in time",
    rungs=UNREAD,
)
UNKNOWN_CUSTOMER: Final = Rule(
    Reason.UNKNOWN_CUSTOMER,
    _is_unknown,
    _profile_text,
    _ways(
        (campaign_change("cold_start", "prior", "decide customers without a profile by the prior: cold_start prior"),),
        (profile_change("known", True, "a profile has to arrive on the topic customers"),),
    ),
    "whether a profile is known, where the campaign has no prior for customers without",
    "a profile has to arrive on the topic customers, or the campaign to decide by its prior",
    ("cold_start",),
)
INACTIVE: Final = Rule(
    Reason.INACTIVE,
    _is_inactive,
    _flag_text("account active", _ACTIVE),
    _ways((profile_change("active", True, "the account has to be active"),)),
    "whether the account of a known profile is active",
    "the account has to be active",
)
LEVEL: Final = Rule(
    Reason.LEVEL,
    _is_gold,
    _level_text,
    _ways((profile_change("level", Level.SILVER.name, "a level below Gold, which has everything the offer sells"),)),
    "the level of a known profile",
    "a level below Gold, which has everything the offer sells",
)
NO_CONSENT: Final = Rule(
    Reason.NO_CONSENT,
    _refuses,
    _flag_text("consent to offers in the player", _CONSENT),
    _ways((profile_change("consent_player_offers", True, "the customer has to consent"),)),
    "whether the customer of a known profile consents to offers in the player",
    "the customer has to consent",
)
CUSTOMER_RULES: Final = (UNREAD_RULE, UNKNOWN_CUSTOMER, INACTIVE, LEVEL, NO_CONSENT)
