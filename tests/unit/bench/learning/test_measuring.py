"""The measurements themselves, at a size that takes seconds, and what they would say of something broken."""

import numpy as np
import pytest

from bench.learning import coverage, sabotage
from services.trainer import offpolicy
from services.trainer.gate import judge


def test_estimates_are_within_their_errors_and_others_would_not_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "_TRUTH_LISTENERS", 300_000)
    figures = coverage.measure(seeds=20, decisions=40_000)
    assert min(figures[f"{name}_coverage"].value for name in ("ips", "snips", "dr")) >= 16
    assert figures["dr_standard_error"].value <= figures["ips_standard_error"].value

    def blind(log: offpolicy.LoggedDecisions, shows: np.ndarray) -> offpolicy.Estimate:
        """As if everything had been shown anyway."""
        return offpolicy.ips(
            offpolicy.LoggedDecisions(log.shown, np.ones(len(shows)), log.reward, log.customers), shows
        )

    monkeypatch.setattr(coverage, "ips", blind)
    assert coverage.measure(seeds=5, decisions=40_000)["ips_coverage"].value == 0


def test_spoilt_models_are_refused_and_an_honest_one_is_not() -> None:
    assert len(sabotage.SABOTAGE) == 20
    court = sabotage.Court()
    assert judge(court.evidence(court.ground(100).honest)).passed
    for name in ("labels flipped", "mobile and unique swapped", "one answer: the click rate", "log odds times five"):
        spoilt = sabotage.SABOTAGE[name](court.ground(1), np.random.default_rng(1))
        assert not judge(court.evidence(spoilt)).passed, name
