"""Whether experiments get the shares that they were promised. Pure.

A side that loses customers on the way (its calls fail, its players report nothing) makes every comparison wrong. So the
distinct customers of each side are counted, and how far their number is from what the shares promise is exported in standard
errors: beyond 4 it is no chance.
"""

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

from interlude.contacts.campaign import Campaign

CUSTOMERS_KEPT: Final = 100_000
"""Distinct customers that a campaign's check is made of, some 10 MB; the ones after them are not looked at."""

HOLDOUT: Final = "holdout"


class Deviation(NamedTuple):
    """How far a side is from its share, in standard errors; `side` is an arm's name, or `HOLDOUT`."""

    campaign_id: str
    side: str
    standard_errors: float


class _Sides:
    """The distinct customers of one campaign, as the experiments of its current form sort them."""

    def __init__(self, campaign: Campaign) -> None:
        self.form = _form(campaign)
        self._shares = {arm.name: arm.share for arm in campaign.arms}
        self._holdout_share = campaign.holdout_share
        self._asked: dict[str, set[int]] = {name: set() for name in self._shares}
        self._reached: dict[bool, set[int]] = {True: set(), False: set()}

    def add(self, customer_id: int, arm: str, reached: bool, holdout: bool) -> None:
        if arm and sum(map(len, self._asked.values())) < CUSTOMERS_KEPT:
            self._asked[arm].add(customer_id)
        if reached and len(self._reached[True]) + len(self._reached[False]) < CUSTOMERS_KEPT:
            self._reached[holdout].add(customer_id)

    def deviations(self) -> Iterator[tuple[str, float]]:
        asked = sum(map(len, self._asked.values()))
        for name, customers in self._asked.items():
            yield name, _standard_errors(len(customers), asked, self._shares[name])
        held_out = len(self._reached[True])
        yield HOLDOUT, _standard_errors(held_out, held_out + len(self._reached[False]), self._holdout_share)


class SampleRatios:
    """The check of every campaign that has an experiment. For one thread at a time."""

    def __init__(self) -> None:
        self._campaigns: dict[str, _Sides] = {}

    def add(self, campaign: Campaign, customer_id: int, arm: str, *, reached: bool, holdout: bool) -> None:
        """Count an answer. `reached`: it was an offer, shown or withheld; the holdout is compared among those alone. A campaign
        whose experiments change begins anew."""
        sides = self._campaigns.get(campaign.campaign_id)
        if sides is None or sides.form != _form(campaign):
            sides = self._campaigns[campaign.campaign_id] = _Sides(campaign)
        sides.add(customer_id, arm, reached, holdout)

    def deviations(self) -> list[Deviation]:
        """Every side of every campaign."""
        return [
            Deviation(campaign_id, side, standard_errors)
            for campaign_id, sides in self._campaigns.items()
            for side, standard_errors in sides.deviations()
        ]


def _form(campaign: Campaign) -> tuple[object, ...]:
    return campaign.arms, campaign.holdout_share, campaign.experiment_salt


def _standard_errors(count: int, of: int, share: float) -> float:
    variance = of * share * (1 - share)
    return (count - of * share) / math.sqrt(variance) if variance else 0.0
