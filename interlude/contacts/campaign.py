"""Campaigns: what is offered, and how often a listener may be contacted about it. A JSON document, checked as a whole.

    {"campaigns": [{"campaign_id": "premium-day", "contacts_per_day": 3, "minimum_gap_minutes": 20, "sms_text": "…"}]}

The first campaign is the default one.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from interlude.features.state import hash_id


@dataclass(eq=False)
class InvalidCampaigns(Exception):
    """A campaign document that must not be used; one sentence per problem, each with its path."""

    problems: tuple[str, ...]

    def __str__(self) -> str:
        return "the campaigns are not valid:\n" + "\n".join(f"  - {problem}" for problem in self.problems)


class Campaign(BaseModel):
    """One offer. Caps count contacts in every channel."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    campaign_id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    """Name in requests, events and logs: lower-case letters, digits, "-" and "_", at most 64."""
    enabled: bool = True
    """The kill switch: false shows and sends nothing."""
    contacts_per_day: int = Field(default=3, ge=0, le=64)
    """Contacts a listener may have in any 24 hours, both channels together."""
    minimum_gap_minutes: int = Field(default=20, ge=0, le=7 * 24 * 60)
    """Minutes between a contact and the next, both channels together."""
    sms_text: str = Field(
        default="Today only: upgrade at half price. Stop these texts in your account settings.",
        min_length=1,
        max_length=160,
    )
    """What is texted; one message part."""

    @property
    def campaign_hash(self) -> int:
        """How the ledger and listener states name the campaign: 64 bits."""
        return hash_id(self.campaign_id)


class Campaigns(BaseModel):
    """A checked document."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    campaigns: tuple[Campaign, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ids_differ(self) -> "Campaigns":
        ids = [campaign.campaign_id for campaign in self.campaigns]
        for campaign_id in set(ids):
            if ids.count(campaign_id) > 1:
                raise ValueError(f"campaign_id {campaign_id!r} appears {ids.count(campaign_id)} times")
        return self

    @property
    def default(self) -> Campaign:
        """The campaign of requests that name none."""
        return self.campaigns[0]

    def find(self, campaign_id: str) -> Campaign | None:
        """The campaign of that id, the default for an empty one, None for an unknown one."""
        if not campaign_id:
            return self.default
        return next((campaign for campaign in self.campaigns if campaign.campaign_id == campaign_id), None)


DEFAULT_CAMPAIGNS = Campaigns(campaigns=(Campaign(campaign_id="premium-day"),))


def read_campaigns(path: str) -> Campaigns:
    """The document at `path`, the built-in one for an empty path. Raises `InvalidCampaigns` with every problem."""
    if not path:
        return DEFAULT_CAMPAIGNS
    try:
        return Campaigns.model_validate(json.loads(Path(path).read_bytes()))
    except OSError as error:
        raise InvalidCampaigns((f"{path} cannot be read: {error.strerror}",)) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InvalidCampaigns((f"{path} is not JSON: {error}",)) from error
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, detail['loc'])) or 'document'}: {detail['msg']}" for detail in error.errors())
        raise InvalidCampaigns(tuple(problems)) from error
