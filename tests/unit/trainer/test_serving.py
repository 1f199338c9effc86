"""A session: every line is answered, a mistake ends a command and not the session."""

from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyspark.sql import SparkSession

from interlude.models.store import ModelStore
from services.trainer.arguments import USAGE
from services.trainer.commands import Surroundings
from services.trainer.replies import DONE, FAILED, now_ms
from services.trainer.serving import serve
from services.trainer.settings import TrainerSettings

KEY = "a" * 43 + "="


class Spark:
    """What `serve` does with a session: forget what commands cached."""

    def __init__(self) -> None:
        self.cleared = 0
        self.catalog = SimpleNamespace(clearCache=self._clear)

    def _clear(self) -> None:
        self.cleared += 1


def answers(tmp_path: Path, lines: Iterable[str], spark: Spark | None = None) -> list[dict[str, Any]]:
    """What a session over an empty model store says to `lines`."""
    settings = TrainerSettings(model_store=str(tmp_path))
    session = cast(SparkSession, spark or Spark())
    around = Surroundings(settings, ModelStore(str(tmp_path)), KEY, now_ms, lambda: nullcontext(session))
    said: list[dict[str, Any]] = []
    serve(lines, said.append, session, around)
    return said


def test_each_line_is_answered_and_nothing_stays_cached(tmp_path: Path) -> None:
    spark = Spark()
    said = answers(tmp_path, ["list\n", "\n", "list\n"], spark)
    assert said == [{"exit_code": DONE, "report": [], "complaints": ()}] * 2
    assert spark.cleared == 2


@pytest.mark.parametrize("line", ["fly", "train", "train 'unclosed", "session"])
def test_a_mistake_is_answered_and_the_session_goes_on(line: str, tmp_path: Path) -> None:
    mistake, after = answers(tmp_path, [line, "list"])
    assert mistake["exit_code"] == USAGE
    assert mistake["complaints"][0].startswith("session: ")
    assert after["exit_code"] == DONE


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    absent = tmp_path / "absent.libsvm"
    (said,) = answers(tmp_path, [f"audience --campaign upgrade --report {absent}"])
    assert (said["exit_code"], said["report"]) == (FAILED, None)
    assert "TRAINER_KAFKA_BOOTSTRAP" in said["complaints"][0]
