"""The decision service follows its campaign document, and says for how long the file holds one that it cannot take."""

from pathlib import Path

from devstack.stack import Stack
from interlude.v1 import decision_pb2 as pb
from tests.integration.decision_scene import UNHURRIED, running, until

_REFUSED = "interlude_decision_campaign_file_refused"


def test_a_wrong_document_is_told_until_the_file_is_right_again(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "campaigns.yaml"
    file.write_text("campaigns: [{campaign_id: first}]")
    settings = {**UNHURRIED, "DECISION_CAMPAIGN_FILE": str(file)}
    with running(stack, tmp_path / "service", settings=settings) as scene:
        customer_id = scene.new_listener()
        assert scene.sample(_REFUSED) == 0
        file.write_text("campaigns: [{campaign_id: Not Valid}]")
        until(lambda: scene.sample(_REFUSED) == 1, "the wrong document was not refused")
        assert scene.decide(customer_id).reason == pb.REASON_SHOW
        file.write_text("campaigns: [{campaign_id: first}]")
        until(lambda: scene.sample(_REFUSED) == 0, "the document before is not taken for right")
