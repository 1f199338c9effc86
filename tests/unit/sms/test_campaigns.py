"""The campaign document as the service follows it: what its metrics say of a wrong one."""

from pathlib import Path

from interlude.servicekit.settings import load_settings
from services.sms.__main__ import follow_campaigns
from services.sms.metrics import SmsMetrics
from services.sms.settings import SmsSettings
from tests.unit.sms.test_settings import GOOD


def test_a_text_that_takes_two_messages_is_refused_for_as_long_as_it_is_there(tmp_path: Path) -> None:
    file = tmp_path / "campaigns.yaml"
    file.write_text("campaigns: [{campaign_id: first}]")
    metrics = SmsMetrics()
    campaigns = follow_campaigns(load_settings(SmsSettings, {**GOOD, "SMS_CAMPAIGN_FILE": str(file)}), metrics)
    said = []
    for text in ("short", "ж" * 71, "short"):
        file.write_text(f"campaigns: [{{campaign_id: first, sms_text: {text}}}]")
        campaigns.refresh()
        said.append(metrics.registry.get_sample_value("interlude_sms_campaign_file_refused"))
    assert said == [0, 1, 0]
    assert metrics.registry.get_sample_value("interlude_sms_campaign_documents_total", {"result": "refused"}) == 1
