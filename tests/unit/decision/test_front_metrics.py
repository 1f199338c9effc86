"""What a front counts, as Prometheus reads it."""

from prometheus_client import generate_latest

from services.decision.metrics import FRONT_ENDS, REFUSAL_CAUSES, DecisionMetrics


def _exported(counters: dict[str, int]) -> dict[str, float]:
    metrics = DecisionMetrics()
    metrics.front.counters = lambda: counters
    lines = generate_latest(metrics.registry).decode().splitlines()
    pairs = [line.rpartition(" ") for line in lines if line.startswith("interlude_decision_front_")]
    return {name: float(value) for name, _, value in pairs}


def test_each_counter_has_its_series() -> None:
    names = ["received", *FRONT_ENDS, *(f"refused_{cause}" for cause in REFUSAL_CAUSES)]
    counters = {name: place for place, name in enumerate([*names, "connections", "connections_open"], start=1)}
    exported = _exported({**counters, "waited_us": 7})
    assert sorted(exported.values()) == sorted(counters.values())
    assert exported['interlude_decision_front_refused_total{cause="queue"}'] == counters["refused_queue"]
    assert exported['interlude_decision_front_ended_total{end="late"}'] == counters["late"]
    assert exported["interlude_decision_front_open_connections"] == counters["connections_open"]


def test_what_has_not_happened_yet_is_zero_and_what_cannot_be_seen_is_left_out() -> None:
    exported = _exported({})
    assert set(exported.values()) == {0}
    assert [name for name in exported if "connections" in name] == []
    assert len(exported) == 1 + len(FRONT_ENDS) + len(REFUSAL_CAUSES)
