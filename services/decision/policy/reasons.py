"""What an answer can be, and how much it could be made from."""

from enum import IntEnum
from typing import Final


class Reason(IntEnum):
    """Why an answer is what it is, numbered as on the wire."""

    SWITCHED_OFF = 1
    UNKNOWN_CUSTOMER = 2
    INACTIVE = 3
    LEVEL = 4
    NO_CONSENT = 5
    COOL_DOWN = 6
    FREQUENCY_CAP = 7
    MINIMUM_GAP = 8
    CAMPAIGN_ENDED = 9
    BUDGET_SPENT = 10
    PACED = 11
    LOW_SCORE = 12
    HOLDOUT = 13
    EXPLORED = 14
    SHOW = 15
    UNAVAILABLE = 16
    FIRST_TRACKS = 17
    IN_STREAK = 18
    LISTENING_HOUR = 19


class Rung(IntEnum):
    """How much of the machinery an answer could use, numbered as on the wire."""

    FULL = 1
    NO_RESERVATION = 2
    NO_FEATURES = 3
    NO_MODEL = 4
    NO_TIME = 5
    PRIOR = 6


SHOWN: Final = frozenset({Reason.SHOW, Reason.EXPLORED})
"""The reasons with which the offer is shown."""

UNREAD: Final = (Rung.NO_FEATURES, Rung.NO_TIME)
"""The rungs on which nothing was read of the customer."""
