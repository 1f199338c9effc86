"""The operator's book: one JSON line for every message that it accepted."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class AcceptedMessage:
    """A message that got an id."""

    message_id: str
    source: str
    destination: str
    text: str
    data_coding: int
    verdict: str
    """DELIVRD or UNDELIV, as its receipt says or will say."""
    at_ms: int


def append_message(path: Path, message: AcceptedMessage) -> None:
    """Writes one line, complete when this returns."""
    with path.open("a", encoding="utf-8") as record:
        record.write(json.dumps(asdict(message), ensure_ascii=False) + "\n")


def read_messages(path: Path) -> list[AcceptedMessage]:
    """Every message accepted so far, oldest first. A line that is still being written is left out."""
    if not path.exists():
        return []
    complete = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [AcceptedMessage(**json.loads(line)) for line in complete]
