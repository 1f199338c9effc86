"""When a second copy is sent."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlude.client.hedging import Hedger, Hedging, LatencyQuantile


def _hedger(deadline_seconds: float = 1.0) -> Hedger:
    return Hedger(Hedging(quantile=0.95, share=0.05, samples_min=100), deadline_seconds)


def _learn(hedger: Hedger, latency_seconds: float, calls: int = 400, status: str = "OK") -> None:
    for _ in range(calls):
        hedger.delay_seconds()
        hedger.ended(status, latency_seconds)


def test_the_quantile_is_that_of_the_newest_calls() -> None:
    quantile = LatencyQuantile(0.95, samples_min=100, window=256)
    for _ in range(99):
        quantile.add(1.0)
    assert quantile.seconds is None
    quantile.add(1.0)
    assert quantile.seconds == 1.0
    latencies = [n / 1000 for n in range(256)]
    random.Random(1).shuffle(latencies)
    for latency in latencies * 2:
        quantile.add(latency)
    assert quantile.seconds == pytest.approx(0.243, abs=0.002)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=600))
def test_the_quantile_is_one_of_the_latencies(latencies: list[float]) -> None:
    quantile = LatencyQuantile(0.95, samples_min=10, window=64)
    for latency in latencies:
        quantile.add(latency)
    assert (quantile.seconds is None) == (len(latencies) < 10)
    assert quantile.seconds is None or quantile.seconds in latencies


def test_no_second_copy_before_enough_calls() -> None:
    hedger = _hedger()
    _learn(hedger, 0.002, calls=99)
    assert hedger.delay_seconds() is None
    hedger.ended("OK", 0.002)
    assert hedger.delay_seconds() == 0.002


def test_second_copies_are_a_bounded_share() -> None:
    hedger, hedged = _hedger(), 0
    for _ in range(10_000):
        hedged += hedger.delay_seconds() is not None and hedger.take()
        hedger.ended("OK", 0.002)
    assert 480 <= hedged <= 500


def test_a_quiet_time_saves_up_only_so_much() -> None:
    hedger = _hedger()
    _learn(hedger, 0.002, calls=10_000)
    assert sum(hedger.take() for _ in range(1000)) == 10


def test_a_service_in_trouble_gets_no_second_copies() -> None:
    hedger = _hedger(deadline_seconds=0.05)
    _learn(hedger, 0.002)
    assert hedger.delay_seconds() == 0.002
    _learn(hedger, 0.0501, status="DEADLINE_EXCEEDED")
    assert hedger.delay_seconds() is None
    _learn(hedger, 0.002)
    assert hedger.delay_seconds() == 0.002


def test_quick_errors_say_nothing_of_the_tail() -> None:
    hedger = _hedger()
    _learn(hedger, 0.002)
    _learn(hedger, 0.0001, status="UNAVAILABLE")
    assert hedger.delay_seconds() == 0.002


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"quantile": 1.0}, "quantile=1.0 is not between 0 and 1"),
        ({"share": 0.0}, "share=0.0 is not between 0 and 1"),
        ({"samples_min": 0}, "samples_min=0 is not between 1 and window=256"),
        ({"samples_min": 300}, "samples_min=300 is not between 1 and window=256"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Hedging(**settings)  # type: ignore[arg-type]
