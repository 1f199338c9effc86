"""Every scenario of `make chaos`, as short as it can be: what is found must be there and make sense, not be good."""

import pytest

from bench.chaos.__main__ import SCENARIOS, measure_all
from bench.chaos.ground import Ground
from bench.chaos.sizes import TINY
from devstack.crates import find_cargo
from services.decision import native_front


@pytest.mark.skipif(find_cargo() is None, reason="the load generator needs a Rust compiler")
def test_every_scenario_finds_what_it_is_for() -> None:
    front = "native" if native_front.AVAILABLE else "grpcio"
    with Ground.start(TINY) as ground:
        findings = {each.name.removeprefix(f"{front}_"): each for each in measure_all(ground, list(SCENARIOS), [front])}
    values = {name: finding.value for name, finding in findings.items()}
    assert all(values[name] == 0 for name in values if name.endswith("_internal")), values
    assert values["overload_refused_share"] + values["overload_late_share"] > 0
    assert values["overload_held_back_share"] == 0
    assert values["throttled_overload_held_back_share"] > 0
    assert values["redis_before_kill_in_time_share"] > 0
    assert values["redis_stop_degraded_share"] > 0.5
    assert values["identity_foreign"] == values["identity_broken"] == 0
    assert values["identity_checked"] > values["identity_cancelled"] > 0
    assert values["swaps_unknown_versions"] == 0
    assert values["swaps_bad_refused"] == 20
