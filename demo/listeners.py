"""The ground truth: simulated listeners, their habits, and who clicks and why.

A listener is a pure function of (seed, customer id): the same pair is the same person, however many others there are.

**Habits.** Each listener belongs to one of four types (`TYPES`), which differ in when they listen, how often on a phone, and
how often they play something new. The habits of one person vary around those of the type (Dirichlet for the day parts, Beta
for the two shares). A habit is a probability; what a model sees is the share that a few dozen listens happen to show of it.

**Clicks.** The probability that a listener who sees the offer clicks is logistic in the listener's habits, never in the
observed shares:

    p = 1 / (1 + exp(-STEEPNESS * (sum of WEIGHTS[habit] * habit - CENTRE)))

Those who begin the day with music on their phone and like to hear new tracks want the upgrade (offline play); night owls and
people at a desk do not. Clicks are Bernoulli draws from p, so that nobody can predict all of them: `bayes_error` is the
share of impressions that even this formula gets wrong.
"""

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

PHONE_PREFIX: Final = "+1555"
"""Phones are this and the customer id: an area code that no operator gives to a person."""

FAVOURITES: Final = 4
CATALOGUE_TRACKS: Final = 5000
TIME_ZONES: Final = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
)


class Habits(NamedTuple):
    """Probabilities, named and ordered as the served features that they are behind.

    The first four are the day part in which a listen begins and add up to 1; `mobile` is a listen on a phone, `unique` a
    listen to a track that this listener has not heard before.
    """

    morning: float
    afternoon: float
    evening: float
    night: float
    mobile: float
    unique: float


WEIGHTS: Final = Habits(morning=9.0, afternoon=1.0, evening=0.0, night=-2.0, mobile=4.0, unique=2.0)
CENTRE: Final = 8.1
STEEPNESS: Final = 1.2


class ListenerType(NamedTuple):
    """A kind of listener: its share of all, and the mean of its members' habits."""

    share: float
    habits: Habits


TYPES: Final = (
    ListenerType(0.16, Habits(0.56, 0.14, 0.20, 0.10, 0.88, 0.86)),  # on the way to work, on the phone
    ListenerType(0.34, Habits(0.22, 0.44, 0.24, 0.10, 0.30, 0.70)),  # at a desk
    ListenerType(0.32, Habits(0.12, 0.18, 0.52, 0.18, 0.55, 0.75)),  # after work
    ListenerType(0.18, Habits(0.08, 0.12, 0.28, 0.52, 0.65, 0.60)),  # night owls, playing their favourites
)
DAY_PART_CONCENTRATION: Final = 45.0
SHARE_CONCENTRATION: Final = 25.0


@dataclass(frozen=True, slots=True)
class Listener:
    """One simulated person. `activity` scales how much this one listens; the mean over all is 1. `favourites` are track ids."""

    customer_id: int
    habits: Habits
    activity: float
    favourites: tuple[int, ...]
    time_zone: str

    @property
    def click_probability(self) -> float:
        """Probability that this listener clicks on the offer when it is shown, 0..1: the ground truth."""
        score = sum(weight * habit for weight, habit in zip(WEIGHTS, self.habits, strict=True))
        return 1 / (1 + math.exp(-STEEPNESS * (score - CENTRE)))


def listener(seed: int, customer_id: int) -> Listener:
    """The person with that id in the world of that seed."""
    chance = random.Random(f"listener/{seed}/{customer_id}")
    kind = chance.choices(TYPES, [kind.share for kind in TYPES])[0]
    return Listener(
        customer_id=customer_id,
        habits=_draw_habits(chance, kind.habits),
        activity=chance.uniform(0.6, 1.4),
        favourites=tuple(popular_track(chance) for _ in range(FAVOURITES)),
        time_zone=chance.choice(TIME_ZONES),
    )


def popular_track(chance: random.Random) -> int:
    """A track id of the catalogue, 0 .. CATALOGUE_TRACKS - 1: log-uniform over ranks, so that few tracks get most plays."""
    return int(CATALOGUE_TRACKS ** chance.random()) - 1


def bayes_error(listeners: Iterable[Listener]) -> float:
    """Error of the best possible guess of who clicks, knowing every click probability: the mean of min(p, 1 - p)."""
    probabilities = [person.click_probability for person in listeners]
    return sum(min(p, 1 - p) for p in probabilities) / len(probabilities)


def _draw_habits(chance: random.Random, mean: Habits) -> Habits:
    weights = [chance.gammavariate(DAY_PART_CONCENTRATION * part, 1.0) for part in mean[:4]]
    morning, afternoon, evening, night = (weight / sum(weights) for weight in weights)
    return Habits(
        morning, afternoon, evening, night, _draw_share(chance, mean.mobile), _draw_share(chance, mean.unique)
    )


def _draw_share(chance: random.Random, mean: float) -> float:
    return chance.betavariate(SHARE_CONCENTRATION * mean, SHARE_CONCENTRATION * (1 - mean))
