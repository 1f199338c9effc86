"""A campaign document, checked as every service checks it."""

import sys

from interlude.contacts.campaign import Campaigns
from interlude.contacts.campaign_file import InvalidCampaigns, read_campaigns
from services.sms.messages import long_texts


def read_document(path: str) -> Campaigns | None:
    """The campaigns that every service takes; None where one would not, after saying why."""
    try:
        return read_campaigns(path, long_texts)
    except InvalidCampaigns as error:
        print(f"{path}: not in order", file=sys.stderr)
        for problem in error.problems:
            print(f"  - {problem}", file=sys.stderr)
        return None
