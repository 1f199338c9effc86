"""`interlude lift CAMPAIGN`: do listeners who saw the offer convert more often than those from whom it was withheld?"""

import argparse
import sys
import time
from typing import TYPE_CHECKING, Final

from cli import exits
from cli.exposures import Exposure, SideCounts, conversions_in, count_sides, first_exposures, sample_ratio
from cli.periods import HOUR_MS, hours_ago_ms, hours_type
from cli.places import KAFKA, NoPlace, add_place, find
from cli.table import render
from interlude.contacts.campaign import Campaigns
from interlude.contacts.campaign_file import InvalidCampaigns
from interlude.contacts.lift import Group, lift
from interlude.servicekit.errors import Unavailable
from services.decision.logged import campaigns_in, decisions_in
from services.decision.tokens import VALID_MS

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_CHANCE_LIMIT: Final = 4.0
"""Standard errors beyond which the groups are not of the promised sizes by chance, as in the alert."""
_FAIR: Final = """Conversions are those in ad-events. Players report them for offers shown alone: for both groups
alike they have to come from where subscriptions are sold, or the lift is too high."""


def add_to(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the parser of this command."""
    parser = commands.add_parser("lift", help="what the offer of a campaign changes, against its holdout")
    parser.add_argument("campaign_id", metavar="CAMPAIGN")
    parser.add_argument(
        "--hours", type=hours_type, metavar="N", help="customers first reached in the last N hours (all)"
    )
    add_place(parser, KAFKA)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Reads decisions, then conversions, and prints the comparison."""
    now_ms = int(time.time() * 1000)
    since_ms = None if arguments.hours is None else hours_ago_ms(arguments.hours)
    try:
        bootstrap = find(arguments, KAFKA)
        shares = _shares(campaigns_in(bootstrap), arguments.campaign_id)
        exposures = first_exposures(decisions_in(bootstrap, since_ms), arguments.campaign_id, shares)
        converted = conversions_in(bootstrap, exposures, since_ms)
    except NoPlace as error:
        print(f"interlude: {error}", file=sys.stderr)
        return exits.USAGE
    except (InvalidCampaigns, Unavailable) as error:
        print(f"interlude: {error}", file=sys.stderr)
        return exits.PROBLEMS
    if not exposures:
        print(f"interlude: campaign {arguments.campaign_id} reached nobody while it had a holdout", file=sys.stderr)
        return exits.PROBLEMS
    print(to_report(arguments.campaign_id, exposures, converted, now_ms))
    return exits.OK


def to_report(campaign_id: str, exposures: dict[int, Exposure], converted: set[int], now_ms: int) -> str:
    """The comparison for a person: everybody, each arm, whether the groups are of the promised sizes, what limits it."""
    parts = [
        f"campaign {campaign_id}, {len(exposures)} customers by their first offer, shown or withheld",
        _side_text(count_sides(exposures.values(), converted)),
    ]
    for arm in sorted({exposure.arm for exposure in exposures.values()} - {""}):
        ours = [exposure for exposure in exposures.values() if exposure.arm == arm]
        parts.append(f"arm {arm}\n{_side_text(count_sides(ours, converted))}")
    return "\n\n".join([*parts, _ratio_text(exposures), *_limits(exposures, now_ms), _FAIR])


def _side_text(sides: SideCounts) -> str:
    rows = [("group", "customers", "converted", "rate"), _row("shown", sides.shown), _row("withheld", sides.withheld)]
    return f"{render(rows)}\n{_lift_text(sides)}"


def _row(name: str, group: Group) -> tuple[str, str, str, str]:
    return name, str(group.customers), str(group.converted), f"{group.rate:.2%}"


def _lift_text(sides: SideCounts) -> str:
    found = lift(sides.shown, sides.withheld)
    if found is None:
        return "no lift: one of the groups is empty"
    text = f"lift {found.difference:+.2%} (95 % interval {found.low:+.2%} to {found.high:+.2%})"
    if sides.withheld.rate:
        text += f", relative {found.difference / sides.withheld.rate:+.1%}"
    return text if found.is_certain else f"{text}\nnot certain: the interval includes no difference at all"


def _ratio_text(exposures: dict[int, Exposure]) -> str:
    ratio = sample_ratio(exposures.values())
    if ratio is None:
        return "sample ratio: not known, the documents that the decisions name are not in Kafka"
    text = (
        f"sample ratio: {ratio.withheld / ratio.reached:.2%} withheld, {ratio.expected / ratio.reached:.2%} promised, "
        f"{ratio.standard_errors:+.1f} standard errors"
    )
    if abs(ratio.standard_errors) > _CHANCE_LIMIT:
        text += "\nthat is no chance: one group loses customers on the way, do not trust the lift"
    return text


def _limits(exposures: dict[int, Exposure], now_ms: int) -> list[str]:
    found = []
    recent = sum(exposure.at_ms + VALID_MS > now_ms for exposure in exposures.values())
    if recent:
        found.append(f"{recent} customers were reached less than {VALID_MS // HOUR_MS} h ago: they may still convert")
    shares = sorted({exposure.holdout_share for exposure in exposures.values() if exposure.holdout_share is not None})
    if len(shares) > 1:
        listed = ", ".join(f"{share:g}" for share in shares)
        found.append(f"holdout_share changed in this time ({listed}): the groups differ in when they were reached, too")
    return found


def _shares(documents: dict[str, Campaigns], campaign_id: str) -> dict[str, float]:
    """The campaign's holdout share by version of the document."""
    found = {version: document.find(campaign_id) for version, document in documents.items()}
    return {version: campaign.holdout_share for version, campaign in found.items() if campaign is not None}
