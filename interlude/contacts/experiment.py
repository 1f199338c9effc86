"""Who is in the holdout, who in which arm, and when chance decides: functions of ids alone, so that every service, every
replica and Spark agree without asking one another. Pure.
"""

import hashlib
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from interlude.contacts.campaign import Campaign

_ASSIGNMENT: Final = b"assignment"
_CHANCE: Final = b"chance"
_UNIT: Final = 2.0**-53
_DROPPED_BITS: Final = 11
_pack_id: Final = struct.Struct("<q").pack
_unpack_two: Final = struct.Struct("<QQ").unpack
_unpack_one: Final = struct.Struct("<Q8x").unpack


class Assignment(NamedTuple):
    """What a customer is in the experiments of a campaign. `arm` is empty where the campaign has none; `threshold` is the arm's
    own, None: the model's."""

    arm: str = ""
    threshold: float | None = None
    holdout: bool = False


UNASSIGNED: Final = Assignment()
_HELD_OUT: Final = Assignment(holdout=True)


def assign(campaign: Campaign, customer_id: int) -> Assignment:
    """The assignment of a customer, for as long as salt and shares stay. Growing the holdout keeps whoever is in it.

    Two numbers in [0, 1) are halves of one hash of salt and customer, so being held out says nothing about the arm.
    """
    holdout_share, arms = campaign.holdout_share, campaign.arms
    if not arms and not holdout_share:
        return UNASSIGNED
    state = _salted(_ASSIGNMENT, campaign.experiment_salt or campaign.campaign_id)()
    state.update(_pack_id(customer_id))
    holdout_bits, arm_bits = _unpack_two(state.digest())
    holdout = (holdout_bits >> _DROPPED_BITS) * _UNIT < holdout_share
    if not arms:
        return _HELD_OUT if holdout else UNASSIGNED
    place = (arm_bits >> _DROPPED_BITS) * _UNIT
    for arm in arms[:-1]:
        if place < arm.share:
            return Assignment(arm.name, arm.threshold, holdout)
        place -= arm.share
    return Assignment(arms[-1].name, arms[-1].threshold, holdout)


def chance(campaign: Campaign, customer_id: int, request_id: str) -> float:
    """What exploration compares with its rate, in [0, 1): uniform over questions, and the same for the same question again."""
    state = _salted(_CHANCE, campaign.campaign_id)()
    state.update(_pack_id(customer_id) + request_id.encode())
    (bits,) = _unpack_one(state.digest())
    return float((bits >> _DROPPED_BITS) * _UNIT)


@lru_cache(maxsize=4096)
def _salted(purpose: bytes, salt: str) -> Callable[[], "hashlib.blake2b"]:
    """Gives fresh hashes that have taken in the salt already."""
    return hashlib.blake2b(salt.encode(), digest_size=16, person=purpose).copy
