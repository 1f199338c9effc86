"""Learning by itself: round after round a model is trained, and what passes the gate is tried before it serves.

One round does one thing, and everything it goes by is in the store and in the log: a loop that was killed goes on where it was,
and `--rounds 1` under cron is the same as a loop that stays.

no champion yet      train; what passes serves at once, as there is nothing to compare it with
no candidate         train; what passes becomes the candidate, in shadow
a candidate          look at the log: wait, make it a canary, promote it, or withdraw it
a new champion       look at the log: wait, confirm it, or take it back
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from interlude.models.scorer import load_scorer
from interlude.models.store import Candidate, Champion, Stage, StoredModel
from interlude.v1 import decision_pb2 as pb
from services.trainer.trial import Rules, Side, Step, Verdict, judge
from services.trainer.trial_log import Shadow, shadow_sides, sides_of

TRAINED: Final = "train"


class Store(Protocol):
    """What the loop needs of the model store."""

    def champion(self) -> Champion | None: ...
    def versions(self) -> list[str]: ...
    def load(self, version: str, public_key_base64: str) -> StoredModel: ...
    def promote(self, version: str, reason: str = ...) -> Champion: ...
    def try_out(
        self, version: str, stage: Stage, share: float, reason: str = ..., *, instead_of: Candidate | None = ...
    ) -> Champion: ...
    def withdraw(self, reason: str = ..., candidate: Candidate | None = ...) -> Champion: ...
    def promote_candidate(self, candidate: Candidate, reason: str, control_share: float = ...) -> Champion: ...
    def take_back(self, control: Candidate, reason: str) -> Champion: ...


class TrialLog(Protocol):
    """Both sides of what was logged since a moment."""

    def decisions(self, since_ms: int) -> Iterator[pb.DecisionLogged]: ...
    def clicks(self, since_ms: int) -> set[str]: ...


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training gave: the version that passed, empty where none did, and the report."""

    version: str
    report: dict[str, Any]


class Loop:
    """One store's loop. Each `round` returns its report."""

    def __init__(
        self,
        store: Store,
        public_key: str,
        log: TrialLog,
        train: Callable[[], Trained],
        rules: Rules,
        now_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._public_key = public_key
        self._log = log
        self._train = train
        self._rules = rules
        self._now_ms = now_ms

    def round(self) -> dict[str, Any]:
        """The next thing to do, done. Raises what reading the log, training and the store raise."""
        pointer = self._store.champion()
        if pointer is None or pointer.candidate is None:
            return self._train_one(pointer)
        verdict, sides = self._judge(pointer.version, pointer.candidate)
        self._take(pointer.candidate, verdict)
        return {
            "step": verdict.step.value,
            "sentence": verdict.sentence,
            "champion": pointer.version,
            "candidate": pointer.candidate.version,
            "stage": pointer.candidate.stage.value,
            **{name: _counts(side) for name, side in zip(("champion_side", "candidate_side"), sides, strict=True)},
        }

    def _train_one(self, pointer: Champion | None) -> dict[str, Any]:
        trained = self._train()
        if not trained.version:
            sentence = "The gate refused every candidate."
        elif pointer is None:
            self._store.promote(trained.version, "the first champion")
            sentence = f"Version {trained.version} serves: it is the first."
        elif self._is_same(trained.version, pointer.version):
            sentence = "The same model came out again."
        elif any(self._is_same(trained.version, barred) for barred in self._kept(pointer.barred)):
            sentence = "A model came out again that was taken back on probation."
        else:
            self._store.try_out(trained.version, Stage.SHADOW, 0.0, "passed the gate")
            sentence = f"Version {trained.version} is tried in shadow."
        return {"step": TRAINED, "sentence": sentence, "version": trained.version or None, "report": trained.report}

    def _kept(self, versions: Iterable[str]) -> list[str]:
        """Those that nobody has removed from the store."""
        there = self._store.versions()
        return [version for version in versions if version in there]

    def _is_same(self, version: str, champion: str) -> bool:
        """Whether they are one model, whenever each was trained."""
        files = {self._store.load(each, self._public_key).manifest.model_sha256 for each in (version, champion)}
        return len(files) == 1

    def _judge(self, champion: str, candidate: Candidate) -> tuple[Verdict, tuple[Side, Side]]:
        decisions = self._log.decisions(candidate.since_ms)
        if candidate.stage is Stage.SHADOW:
            stored = self._store.load(candidate.version, self._public_key)
            sides = shadow_sides(decisions, champion, Shadow(load_scorer(stored), stored.manifest.threshold))
        else:
            sides = sides_of(decisions, self._log.clicks(candidate.since_ms), champion, candidate)
        return judge(candidate, *sides, self._rules, self._now_ms()), sides

    def _take(self, candidate: Candidate, verdict: Verdict) -> None:
        if verdict.step is Step.CANARY:
            share = self._rules.share
            self._store.try_out(candidate.version, Stage.CANARY, share, verdict.sentence, instead_of=candidate)
        elif verdict.step is Step.PROMOTE:
            self._store.promote_candidate(candidate, verdict.sentence, self._rules.control_share)
        elif verdict.step is Step.TAKE_BACK:
            self._store.take_back(candidate, verdict.sentence)
        elif verdict.step in (Step.WITHDRAW, Step.CONFIRM):
            self._store.withdraw(verdict.sentence, candidate)


def every(seconds: float, rounds: int, stop: threading.Event) -> Iterator[int]:
    """Numbers of rounds from 1, one begun every `seconds` (later where one took longer), until `stop`; `rounds` 0: no end."""
    number = 0
    due = time.monotonic()
    while not stop.is_set() and (not rounds or number < rounds):
        number += 1
        yield number
        due = max(due + seconds, time.monotonic())
        if not rounds or number < rounds:
            stop.wait(due - time.monotonic())


def _counts(side: Side) -> dict[str, Any]:
    return {
        "customers": side.customers,
        "decisions": side.decisions,
        "shown": side.shown,
        "clicks": side.clicks,
        "clicks_per_decision": side.value,
    }
