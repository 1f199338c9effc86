"""What the operator does with a message, and what its receipts say. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final


class Verdict(Enum):
    """What becomes of one submitted message."""

    DELIVERED = "DELIVRD"
    UNDELIVERABLE = "UNDELIV"
    REFUSED = "refused"
    THROTTLED = "throttled"

    @property
    def accepted(self) -> bool:
        """Whether the operator takes the message, gives it an id and owes a receipt."""
        return self in (Verdict.DELIVERED, Verdict.UNDELIVERABLE)


@dataclass(frozen=True, slots=True)
class SmscSettings:
    """How the operator behaves; the defaults deliver everything."""

    system_id: str = "interlude"
    """The one system id that may bind. Others are unbound at once."""
    password: str = "local-pw"
    """Given to clients; SMPP allows 8 characters.

    Not checked: the server library answers the bind by itself and does not tell the password."""
    throttle_every: int = 0
    """Every n-th submission is answered with ESME_RTHROTTLED and is not accepted; 0: none."""
    refuse_suffix: str = ""
    """Destinations that end with this are refused with ESME_RINVDSTADR; empty: none."""
    undeliverable_suffix: str = ""
    """Destinations that end with this are accepted, and the receipt says UNDELIV; empty: none."""
    receipt_delay_ms: int = 50
    """Between the acceptance and the receipt."""


def judge(settings: SmscSettings, destination: str, submission: int) -> Verdict:
    """The verdict on the `submission`-th message (from 1) since the operator's start."""
    if settings.refuse_suffix and destination.endswith(settings.refuse_suffix):
        return Verdict.REFUSED
    if settings.throttle_every and submission % settings.throttle_every == 0:
        return Verdict.THROTTLED
    if settings.undeliverable_suffix and destination.endswith(settings.undeliverable_suffix):
        return Verdict.UNDELIVERABLE
    return Verdict.DELIVERED


_RECEIPT_ON_ALWAYS: Final = 0x01
_RECEIPT_ON_FAILURE: Final = 0x02
_RECEIPT_BITS: Final = 0x03


def wants_receipt(registered_delivery: int, verdict: Verdict) -> bool:
    """Whether the submitter asked for a receipt of this outcome (SMPP 3.4, 5.2.17)."""
    asked = registered_delivery & _RECEIPT_BITS
    return asked == _RECEIPT_ON_ALWAYS or (asked == _RECEIPT_ON_FAILURE and verdict is Verdict.UNDELIVERABLE)


def receipt_text(message_id: str, verdict: Verdict, submitted_ms: int, done_ms: int, text: str) -> bytes:
    """The body of a delivery receipt (SMPP 3.4, appendix B); times are ms since the epoch, written in UTC."""
    delivered = int(verdict is Verdict.DELIVERED)
    return (
        f"id:{message_id} sub:001 dlvrd:{delivered:03d} submit date:{_minute(submitted_ms)} "
        f"done date:{_minute(done_ms)} stat:{verdict.value} err:{0 if delivered else 1:03d} text:{text[:20]}"
    ).encode("latin-1", "replace")


def _minute(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%y%m%d%H%M")
