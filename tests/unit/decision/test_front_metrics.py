"""What a front counts, as Prometheus reads it."""

from prometheus_client import generate_latest

from services.decision.metrics import FRONT_ENDS, REFUSAL_CAUSES, RENEWALS, DecisionMetrics

_LABELLED = [
    *FRONT_ENDS,
    *(f"refused_{cause}" for cause in REFUSAL_CAUSES),
    *(f"certificates_{end}" for end in RENEWALS),
]
_EXPIRES = "interlude_decision_front_certificate_expires_timestamp_seconds"


def _exported(counters: dict[str, int], expires_seconds: float | None = None) -> dict[str, float]:
    metrics = DecisionMetrics()
    metrics.front.counters = lambda: counters
    if expires_seconds is not None:
        metrics.front.certificate_expires_seconds = lambda: expires_seconds
    lines = generate_latest(metrics.registry).decode().splitlines()
    pairs = [line.rpartition(" ") for line in lines if line.startswith("interlude_decision_front_")]
    return {name: float(value) for name, _, value in pairs}


def test_each_counter_has_its_series() -> None:
    names = ["received", *_LABELLED, "connections", "connections_open"]
    counters = {name: place for place, name in enumerate(names, start=1)}
    exported = _exported({**counters, "waited_us": 7})
    assert sorted(exported.values()) == sorted(counters.values())
    assert exported['interlude_decision_front_refused_total{cause="queue"}'] == counters["refused_queue"]
    assert exported['interlude_decision_front_ended_total{end="late"}'] == counters["late"]
    assert exported['interlude_decision_front_certificates_total{result="refused"}'] == counters["certificates_refused"]
    assert exported["interlude_decision_front_open_connections"] == counters["connections_open"]


def test_what_has_not_happened_yet_is_zero_and_what_cannot_be_seen_is_left_out() -> None:
    exported = _exported({})
    assert set(exported.values()) == {0}
    assert [name for name in exported if "connections" in name] == []
    assert len(exported) == 1 + len(_LABELLED)


def test_the_end_of_a_certificate_is_told_where_there_is_one() -> None:
    assert _EXPIRES not in _exported({})
    assert _exported({}, 1_800_000_000.0)[_EXPIRES] == 1_800_000_000.0
