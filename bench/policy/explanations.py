"""Whether the nearest yes keeps its word: on facts at random, applying what it names has to turn the answer."""

import statistics
import time
from random import Random
from typing import Final

from bench.measured import Figure
from bench.policy.random_facts import random_facts
from services.decision.policy import SHOWN, apply, decide, nearest_yes

CASES: Final = 100_000
_SEED: Final = 23


def measure(cases: int = CASES) -> dict[str, Figure]:
    """`nearest_yes_wrong`, `nearest_yes_named`, `nearest_yes_us`."""
    source = Random(_SEED)
    refused = named = wrong = 0
    taken_us: list[float] = []
    for _ in range(cases):
        facts = random_facts(source)
        if decide(facts).reason in SHOWN:
            continue
        refused += 1
        began = time.thread_time_ns()
        changes = nearest_yes(facts)
        taken_us.append((time.thread_time_ns() - began) / 1000)
        if changes:
            named += 1
            wrong += decide(apply(changes, facts)).reason not in SHOWN
    under = f"of {cases:,} random cases, {refused:,} of which show nothing"
    return {
        "nearest_yes_wrong": Figure(wrong, "cases", f"named changes that do not turn the answer; {under}"),
        "nearest_yes_named": Figure(
            round(100 * named / refused, 1), "%", f"answers with something to name, where they show nothing; {under}"
        ),
        "nearest_yes_us": Figure(round(statistics.median(taken_us)), "µs", f"CPU of finding it, median; {under}"),
    }
