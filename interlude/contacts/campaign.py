"""Campaigns: what is offered, to whom, when and how often. A YAML or JSON document, checked as a whole.

    campaigns:
      - campaign_id: premium-day
        contacts_per_day: 3
        minimum_gap_minutes: 20
        budget: {discounts: 10000, pacing: even}

The first campaign is the default one. docs/policy.md, which is made from this file and the policy, says what each field does.
"""

import hashlib
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from interlude.features.state import hash_id

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
SHARES_TOLERANCE: Final = 1e-9


MISFIT: Final = "misfit"
"""Type of the error that says that well-formed fields do not go together; its context has `problems`."""
Problem = tuple[str, str]
"""Path within the campaign or the document, and what is wrong there."""


def misfit(problems: Sequence[Problem]) -> PydanticCustomError:
    """The error to raise for fields that do not go together."""
    text = "; ".join(f"{path}: {problem}" for path, problem in problems)
    return PydanticCustomError(MISFIT, "{text}", {"text": text, "problems": list(problems)})


class _Document(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False, strict=False
    )


class Pacing(StrEnum):
    """How a budget is spread over the time of the campaign."""

    NONE = "none"
    EVEN = "even"


class ColdStart(StrEnum):
    """What is done where no model can be asked about a listener."""

    NO_AD = "no_ad"
    PRIOR = "prior"


class Budget(_Document):
    """What the campaign may give away. Every offer shown is a discount promised, and counts when it is shown."""

    discounts: int = Field(ge=0, le=1_000_000_000)
    """Discounts that may be promised over the whole campaign."""
    pacing: Pacing = Pacing.NONE
    """even: each discount has a share of the time of the campaign and falls due as it begins; needs starts_at and ends_at."""


class Arm(_Document):
    """One side of an experiment."""

    name: Name
    """Name in answers and logs."""
    share: float = Field(gt=0, le=1)
    """Share of all listeners; the shares of all arms add up to 1."""
    threshold: float | None = Field(default=None, ge=0, le=1)
    """Click probability from which this arm shows the offer; without it the model's own."""


class Campaign(_Document):
    """One offer. Caps count contacts of all campaigns in every channel, withheld ones of the holdout included."""

    campaign_id: Name
    """Name in requests, events and logs: lower-case letters, digits, "-" and "_", at most 64."""
    enabled: bool = True
    """The kill switch: false shows and sends nothing."""
    starts_at: AwareDatetime | None = None
    """First moment of the campaign, ISO 8601 with its offset from UTC; without it the campaign has always run."""
    ends_at: AwareDatetime | None = None
    """First moment after the campaign; without it the campaign never ends."""
    cold_start: ColdStart = ColdStart.NO_AD
    """prior: a customer without profile or features, or a service without model, is decided by prior_click_probability."""
    prior_click_probability: float = Field(default=0.0, ge=0, le=1)
    """What is taken for the click probability of a listener that no model was asked about."""
    prior_threshold: float = Field(default=0.5, ge=0, le=1)
    """The threshold that a prior is compared with where no model gives one."""
    contacts_per_hour: int | None = Field(default=None, ge=0, le=60)
    """Contacts a listener may have in any 60 minutes."""
    contacts_per_day: int = Field(default=3, ge=0, le=60)
    """Contacts a listener may have in any 24 hours."""
    contacts_per_week: int | None = Field(default=None, ge=0, le=60)
    """Contacts a listener may have in any 7 days."""
    contacts_per_session: int | None = Field(default=None, ge=0, le=60)
    """Contacts a listener may have in one session: listens without a pause of 30 minutes. For the player only."""
    contacts_per_listening_hour: int | None = Field(default=None, ge=0, le=60)
    """Contacts a listener may have in the latest 60 minutes of listening, over however many sessions. For the player only."""
    minimum_gap_minutes: int = Field(default=20, ge=0, le=7 * 24 * 60)
    """Minutes between a contact and the next."""
    minimum_gap_tracks: int = Field(default=0, ge=0, le=16)
    """Tracks played between a contact and the next offer. For the player only."""
    first_tracks_without_offer: int = Field(default=0, ge=0, le=50)
    """Tracks at the beginning of a session before which nothing is offered. For the player only."""
    spare_streaks: bool = False
    """true: nothing is offered while one track is played again and again. For the player only."""
    cool_down_after_dismiss_hours: int = Field(default=0, ge=0, le=365 * 24)
    """Hours without an offer in the player after the listener dismissed one; texts do not look at it."""
    cool_down_after_conversion_days: int = Field(default=0, ge=0, le=3650)
    """Days without an offer in the player after the listener took one; texts do not look at it."""
    budget: Budget | None = None
    """What may be given away; without it there is no limit."""
    exploration_rate: float = Field(default=0.0, ge=0, le=0.5)
    """Share of answers below the threshold that show the offer all the same, so that there is something to learn from."""
    holdout_share: float = Field(default=0.0, ge=0, le=0.5)
    """Share of customers to whom nothing is shown or sent, so that the effect of the offer can be measured."""
    arms: tuple[Arm, ...] = Field(default=(), max_length=16)
    """Sides of an experiment; none: everybody is treated alike."""
    experiment_salt: str = Field(default="", max_length=64)
    """Whoever is in the holdout or an arm is drawn by this and the customer's id; empty: by campaign_id. Campaigns of one salt
    share their holdout; a new salt draws anew."""
    sms_text: str = Field(
        default="Today only: upgrade at half price. Stop these texts in your account settings.",
        min_length=1,
        max_length=160,
    )
    """What is texted; one message part."""

    @model_validator(mode="after")
    def _fields_fit(self) -> "Campaign":
        problems = [*self._time_problems(), *self._arm_problems()]
        if problems:
            raise misfit(problems)
        return self

    def _time_problems(self) -> Iterator[Problem]:
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            yield "ends_at", f"{self.ends_at.isoformat()} is not after starts_at, {self.starts_at.isoformat()}"
        if self.budget and self.budget.pacing is Pacing.EVEN and not (self.starts_at and self.ends_at):
            yield "budget.pacing", "is even, which needs starts_at and ends_at"

    def _arm_problems(self) -> Iterator[Problem]:
        first: dict[str, int] = {}
        for number, arm in enumerate(self.arms):
            if first.setdefault(arm.name, number) != number:
                yield f"arms[{number}].name", f"is {arm.name!r}, as that of arms[{first[arm.name]}] is"
        total = sum(arm.share for arm in self.arms)
        if self.arms and abs(total - 1) > SHARES_TOLERANCE:
            yield "arms", f"the shares add up to {total:g}, expected 1"

    # Cached: a decision asks for these, and pydantic's frozen models allow it.
    @cached_property
    def campaign_hash(self) -> int:
        """How the ledger and listener states name the campaign: 64 bits."""
        return hash_id(self.campaign_id)

    @cached_property
    def starts_at_ms(self) -> int | None:
        """`starts_at` in epoch ms."""
        return None if self.starts_at is None else round(self.starts_at.timestamp() * 1000)

    @cached_property
    def ends_at_ms(self) -> int | None:
        """`ends_at` in epoch ms."""
        return None if self.ends_at is None else round(self.ends_at.timestamp() * 1000)

    def is_running(self, now_ms: int) -> bool:
        """Whether this is its time: from `starts_at` on, before `ends_at`. Says nothing of the kill switch."""
        starts_at_ms, ends_at_ms = self.starts_at_ms, self.ends_at_ms
        return (starts_at_ms is None or starts_at_ms <= now_ms) and (ends_at_ms is None or now_ms < ends_at_ms)


class Campaigns(_Document):
    """A checked document."""

    schema_version: Literal[1] = 1
    """Version of the form of this document."""
    campaigns: tuple[Campaign, ...] = Field(min_length=1, max_length=1000)
    """The campaigns, the default one first."""

    @model_validator(mode="after")
    def _ids_differ(self) -> "Campaigns":
        problems: list[Problem] = []
        first: dict[str, int] = {}
        for number, campaign in enumerate(self.campaigns):
            other = first.setdefault(campaign.campaign_id, number)
            if other != number:
                problems.append(
                    (
                        f"campaigns[{number}].campaign_id",
                        f"is {campaign.campaign_id!r}, as that of campaigns[{other}] is",
                    )
                )
        if problems:
            raise misfit(problems)
        return self

    @property
    def default(self) -> Campaign:
        """The campaign of requests that name none."""
        return self.campaigns[0]

    @cached_property
    def text(self) -> str:
        """The document as JSON, every field spelt out: the same campaigns give the same text, however they were written."""
        return self.model_dump_json()

    @cached_property
    def version(self) -> str:
        """Twelve hex digits that name this document in decisions: a hash of `text`."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]

    @cached_property
    def _by_id(self) -> dict[str, Campaign]:
        return {campaign.campaign_id: campaign for campaign in self.campaigns} | {"": self.default}

    def find(self, campaign_id: str) -> Campaign | None:
        """The campaign of that id, the default for an empty one, None for an unknown one."""
        return self._by_id.get(campaign_id)


DEFAULT_CAMPAIGNS = Campaigns(campaigns=(Campaign(campaign_id="premium-day"),))
