"""What became of handing one message to the operator."""

from enum import Enum
from typing import NamedTuple


class SubmitOutcome(Enum):
    """What is known after a submission. Only `NOT_TAKEN` may ever be submitted again."""

    TAKEN = "taken"
    REFUSED = "refused"
    NOT_TAKEN = "not_taken"
    """The operator has certainly not got it: it said so (throttled), or it was never written to a session."""
    UNCERTAIN = "uncertain"
    """It was written and no answer came."""


class SubmitResult(NamedTuple):
    """`message_id` is the operator's, with TAKEN; `command_status` is its answer, 0 where it gave none."""

    outcome: SubmitOutcome
    message_id: str = ""
    command_status: int = 0
