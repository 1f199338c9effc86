"""A running service tells whether its experiments get the shares that they were promised."""

import json
import math
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from devstack.stack import Stack
from interlude.contacts.campaign import Campaigns
from interlude.contacts.experiment import assign
from interlude.v1 import decision_pb2 as pb
from tests.integration.decision_scene import UNHURRIED, DecisionScene, running, until

_RATIO: Final = "interlude_decision_sample_ratio_standard_errors"
_CAMPAIGN: Final = {
    "campaign_id": "measured",
    "holdout_share": 0.5,
    "arms": [{"name": "model", "share": 0.5}, {"name": "brave", "share": 0.5, "threshold": 0.0}],
}
_CAMPAIGNS: Final = Campaigns.model_validate({"campaigns": [_CAMPAIGN, {"campaign_id": "plain"}]})


def _customers(scene: DecisionScene, count: int, arm: str) -> list[int]:
    """Listeners whom chance put in that arm."""
    found: list[int] = []
    while len(found) < count:
        customer_id = scene.new_listener()
        if assign(_CAMPAIGNS.default, customer_id).arm == arm:
            found.append(customer_id)
    return found


def _z(count: int, of: int) -> float:
    """Standard errors of `count` from half of `of`."""
    return (count - of / 2) / math.sqrt(of / 4)


def test_sides_are_compared_with_their_shares_and_a_lost_side_stands_out(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "campaigns.json"
    file.write_text(json.dumps({"campaigns": [_CAMPAIGN, {"campaign_id": "plain"}]}), encoding="utf-8")
    settings = {**UNHURRIED, "DECISION_CAMPAIGN_FILE": str(file)}
    with running(stack, tmp_path, settings=settings) as scene:
        customers = [*_customers(scene, 36, "model"), *_customers(scene, 4, "brave")]
        reasons = Counter(scene.decide(customer_id).reason for customer_id in customers)
        scene.decide(customers[0])  # a customer counts once
        scene.decide(scene.new_listener(), campaign_id="plain")
        # The first 36 alone are further from their share: all 40 are counted when the others' side says so.
        until(lambda: abs(scene.sample(_RATIO, campaign="measured", side="brave") - _z(4, 40)) < 1e-9, "not counted")
        assert scene.sample(_RATIO, campaign="measured", side="model") == pytest.approx(_z(36, 40))
        assert _z(36, 40) > 4
        shown, held_out = reasons[pb.REASON_SHOW], reasons[pb.REASON_HOLDOUT]
        assert shown + held_out == len(customers)
        assert scene.sample(_RATIO, campaign="measured", side="holdout") == _z(held_out, shown + held_out)
        assert scene.sample(_RATIO, campaign="plain") == 0
