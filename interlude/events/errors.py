"""Why an event is not taken."""

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """Where an event was found to be bad."""

    SIZE = "size"
    PARSE = "parse"
    VALIDATE = "validate"


@dataclass(eq=False)
class InvalidEvent(Exception):
    """An event that no retry will make good. `problem` names the field and its limit, never a person's data."""

    stage: Stage
    problem: str

    def __str__(self) -> str:
        return f"{self.stage}: {self.problem}"
