"""Who is in the holdout, who in which arm, and when chance decides: functions of ids alone, so that every service, every
replica and Spark agree without asking one another. Pure.
"""

import hashlib
from functools import lru_cache
from typing import Final, NamedTuple

from interlude.contacts.campaign import Campaign

_HOLDOUT: Final = b"holdout"
_ARM: Final = b"arm"
_CHANCE: Final = b"chance"
_UNIT: Final = 2.0**-53
_DROPPED_BITS: Final = 11


class Assignment(NamedTuple):
    """What a customer is in the experiments of a campaign. `arm` is empty where the campaign has none; `threshold` is the arm's
    own, None: the model's."""

    arm: str = ""
    threshold: float | None = None
    holdout: bool = False


UNASSIGNED: Final = Assignment()


def assign(campaign: Campaign, customer_id: int) -> Assignment:
    """The assignment of a customer, for as long as salt and shares stay. Growing the holdout keeps whoever is in it."""
    if not campaign.arms and not campaign.holdout_share:
        return UNASSIGNED
    salt = campaign.experiment_salt or campaign.campaign_id
    holdout = campaign.holdout_share > 0 and _draw(_HOLDOUT, salt, b"%d" % customer_id) < campaign.holdout_share
    if not campaign.arms:
        return Assignment(holdout=holdout)
    place = _draw(_ARM, salt, b"%d" % customer_id)
    for arm in campaign.arms[:-1]:
        if place < arm.share:
            return Assignment(arm.name, arm.threshold, holdout)
        place -= arm.share
    return Assignment(campaign.arms[-1].name, campaign.arms[-1].threshold, holdout)


def chance(campaign: Campaign, customer_id: int, request_id: str) -> float:
    """What exploration compares with its rate, in [0, 1): uniform over questions, and the same for the same question again."""
    return _draw(_CHANCE, campaign.campaign_id, b"%d|%s" % (customer_id, request_id.encode()))


def _draw(purpose: bytes, salt: str, identity: bytes) -> float:
    """A number in [0, 1) with 53 bits. Purposes are drawn apart: being held out says nothing about the arm."""
    state = _salted(purpose, salt).copy()
    state.update(identity)
    return (int.from_bytes(state.digest(), "little") >> _DROPPED_BITS) * _UNIT


@lru_cache(maxsize=4096)
def _salted(purpose: bytes, salt: str) -> hashlib.blake2b:
    return hashlib.blake2b(salt.encode(), digest_size=8, person=purpose)
