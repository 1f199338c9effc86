"""Models replaced under load, and files between them that must not serve: no call fails, and memory does not grow."""

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Protocol
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from bench.chaos.findings import NONE, Finding, Goal, Relation
from bench.chaos.ground import Ground, say
from bench.chaos.reports import Report, failed_share
from bench.population import INTERCEPT, publish_model
from bench.processes import resident_mib
from bench.servers import SHOW_SHARE, Server
from devstack.bad_models import BAD_MODELS, BadModel
from interlude.models.store import ModelStore

LOAD_SHARE: Final = 0.3
BAD_KINDS: Final = 20
MODEL_POLL_MS: Final = 50
GROWTH_SHARE: Final = 0.05
"""Of resident memory, from the warm-up to the end."""
_ROWS: Final = 1000
"""Listeners that a model is made for; all of them would only take longer."""
_WINDOW_MS: Final = 500
_WARM_UP_SECONDS: Final = 1.0
_LONGEST_SECONDS: Final = 200.0
_WITHIN_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.02


class NeverHappened(Exception):
    """A model did not serve, or was not refused, in time."""


class Swapped(Protocol):
    """What was done: versions in their order, the first serving before, and files that were refused."""

    @property
    def promoted(self) -> Sequence[str]: ...
    @property
    def seconds(self) -> Sequence[float]: ...
    @property
    def refused(self) -> int: ...


def measure(ground: Ground, front: str) -> list[Finding]:
    """Good and bad models by turns, under load."""
    scene, sizes = ground.scene, ground.sizes
    directory = scene.directory / f"swaps-{front}"
    store = ModelStore(str(directory))
    versions = [_publish(ground, store, number) for number in range(1 + sizes.swaps_before + sizes.swaps)]
    store.promote(versions[0])
    with ExitStack() as cleanup:
        settings = {"DECISION_MODEL_POLL_MS": str(MODEL_POLL_MS)}
        server = cleanup.enter_context(scene.service(front, models=directory, **settings))
        rate = LOAD_SHARE * ground.capacity(server)
        load = cleanup.enter_context(
            ground.generator.open(server, [rate], [_LONGEST_SECONDS], window_ms=_WINDOW_MS, until_told=True)
        )
        say(front, f"swaps: {sizes.swaps} and {BAD_KINDS} kinds of bad files at {rate:,.0f}/s")
        threading.Event().wait(_WARM_UP_SECONDS + sizes.calm_seconds)
        began_s = time.time()
        swapper = Swapper(server, store, directory, versions)
        for _ in range(sizes.swaps_before):
            swapper.swap()
        before_mib = settled_mib(server.pid)
        bad = [BAD_MODELS[name](scene.keys) for name in bad_kinds(BAD_KINDS)]
        for number in range(sizes.swaps):
            for model in bad[number :: sizes.swaps]:
                swapper.offer(model)
            swapper.swap()
        after_mib = settled_mib(server.pid)
        return findings_of(front, rate, load.report(), swapper, (before_mib, after_mib), began_s)


def bad_kinds(count: int) -> list[str]:
    """So many names of bad models, from all along the list."""
    names = list(BAD_MODELS)
    return [names[place * len(names) // count] for place in range(count)]


class Swapper:
    """Changes the champion of a service, and waits until it has seen that."""

    def __init__(self, server: Server, store: ModelStore, directory: Path, versions: Sequence[str]) -> None:
        """`versions` are promoted one after the other; the first of them serves already."""
        self.promoted: Final = [versions[0]]
        self.seconds: Final[list[float]] = []
        """From each promotion until that model serves."""
        self.refused = 0
        self._server = server
        self._store = store
        self._directory = directory
        self._next = iter(versions[1:])

    def swap(self) -> None:
        """The next good model."""
        version, began = next(self._next), time.perf_counter()
        self.promoted.append(version)
        self._store.promote(version)
        self._wait(lambda: self._sample("interlude_decision_model_info", version=version) == 1, f"{version} serves")
        self.seconds.append(time.perf_counter() - began)

    def offer(self, model: BadModel) -> None:
        """A model that has to be refused."""
        name = "interlude_decision_models_refused_total"
        before = self._sample(name, check=model.check)
        model.put(self._directory)
        self._wait(lambda: self._sample(name, check=model.check) > before, f"a model is refused for its {model.check}")
        self.refused += 1

    def _sample(self, name: str, **labels: str) -> float:
        with urlopen(self._server.metrics_url, timeout=_WITHIN_SECONDS) as answer:
            families = text_string_to_metric_families(answer.read().decode())
        samples = (sample for family in families for sample in family.samples if sample.name == name)
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    def _wait(self, happened: Callable[[], bool], what: str) -> None:
        pause, end = threading.Event(), time.perf_counter() + _WITHIN_SECONDS
        while not happened():
            if time.perf_counter() > end:
                raise NeverHappened(f"{what}: not within {_WITHIN_SECONDS:.0f} s")
            pause.wait(_POLL_SECONDS)


def settled_mib(pid: int) -> float:
    """Resident memory under a load that goes on: the median of a second."""
    pause, samples = threading.Event(), []
    for _ in range(10):
        pause.wait(0.1)
        samples.append(resident_mib(pid))
    return statistics.median(samples)


def findings_of(
    front: str, rate: float, report: Report, swapper: Swapped, memory_mib: tuple[float, float], began_s: float
) -> list[Finding]:
    """From the report of the load during the swaps; `memory_mib` are after the warm-up and at the end, `began_s` (epoch
    seconds) is when the first model was replaced: what failed before is the machine's own doing."""
    counts, (before_mib, after_mib) = report.all, memory_mib
    under = f"{front}, {len(swapper.promoted) - 1} swaps at {rate:.0f} calls/s"
    # Without a version are answers for which no model was asked, all of them degraded.
    known = {*swapper.promoted, ""}
    unknown = sum(count for version, count in counts.versions.items() if version not in known)
    growth = Goal(Relation.AT_MOST, GROWTH_SHARE)
    served = set(counts.versions) & set(swapper.promoted)
    before = failed_share(report.between(report.started_s, began_s)[:-1])
    meanwhile = failed_share(report.between(began_s, report.started_s + counts.seconds)[1:])
    findings = [
        ("failed", counts.failed, "calls", NONE),
        ("failed_share", meanwhile, "of all calls from the first swap on", None),
        ("failed_share_before", before, "of all calls before the first swap", None),
        ("unknown_versions", unknown, "answers of a model that was never promoted", NONE),
        ("bad_refused", swapper.refused, "files", Goal(Relation.IS, BAD_KINDS)),
        ("memory_growth", (after_mib - before_mib) / before_mib, f"of {before_mib:.1f} MiB resident", growth),
        ("memory_growth_mib", after_mib - before_mib, "MiB", None),
        ("served_versions", len(served), "models that answers were made with", None),
        ("calls", counts.ended, "calls", None),
        ("late", counts.late, "calls past their deadline", None),
        ("degraded", counts.degraded, "answers", None),
        ("p99_ms", counts.p99_ms, "ms", None),
        ("serves_after_p50_seconds", statistics.median(swapper.seconds), "s from promotion", None),
        ("serves_after_max_seconds", max(swapper.seconds), "s from promotion", None),
    ]
    return [Finding(f"{front}_swaps_{name}", value, unit, under, goal) for name, value, unit, goal in findings]


def _publish(ground: Ground, store: ModelStore, number: int) -> str:
    vectors, key = ground.scene.vectors[:_ROWS], ground.scene.keys.model_private_key
    return publish_model(store, key, vectors, SHOW_SHARE, INTERCEPT + number / 100)
