"""`interlude campaign dry-run FILE`: what the decisions of the last hours would have been under a document, before it goes live."""

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from cli import exits
from cli.documents import read_document
from cli.periods import hours_ago_ms, hours_type
from cli.places import KAFKA, NoPlace, add_place, find
from cli.table import render
from interlude.contacts.campaign import Campaigns
from interlude.servicekit.errors import Unavailable
from interlude.v1 import decision_pb2 as pb
from services.decision.logged import decisions_in
from services.decision.policy import SHOWN, Reason
from services.decision.rejudging import judge_under
from services.decision.replay import CannotReplay

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_LIMIT: Final = """Each decision is judged by itself: contacts and budgets are as they were then. Under another document earlier
answers would have left others behind, so these numbers tell the direction, not the outcome."""


class Comparison:
    """Logged decisions and what they would have been, counted by campaign."""

    def __init__(self, campaigns: Campaigns) -> None:
        self._campaigns = campaigns
        self._seen: set[str] = set()
        self.changes: defaultdict[str, Counter[tuple[Reason, Reason]]] = defaultdict(Counter)
        """By campaign: how often each pair of the reason then and the reason now."""
        self.missing: Counter[str] = Counter()
        """Decisions of campaigns that the document does not have."""
        self.unreadable = 0
        """Decisions that were logged under another schema of features."""
        self.without_name: Counter[str] = Counter()
        """Decisions whose request named no campaign, by the default one then."""

    def add(self, logged: pb.DecisionLogged) -> None:
        """Count a decision; one that was asked for again counts once."""
        if logged.decision_id in self._seen:
            return
        self._seen.add(logged.decision_id)
        campaign_id = logged.response.campaign_id
        if not logged.request.campaign_id:
            self.without_name[campaign_id] += 1
        campaign = self._campaigns.find(campaign_id) if campaign_id else None
        if campaign is None:
            self.missing[campaign_id] += 1
            return
        try:
            reason = judge_under(campaign, logged)
        except CannotReplay:
            self.unreadable += 1
            return
        self.changes[campaign_id][Reason(logged.response.reason), reason] += 1

    @property
    def decisions(self) -> int:
        """How many decisions were looked at."""
        return len(self._seen)


def add_to(actions: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the parser of this action."""
    parser = actions.add_parser("dry-run", help="what the latest decisions would have been under a document")
    parser.add_argument("file", metavar="FILE", help="YAML or JSON")
    parser.add_argument(
        "--hours", type=hours_type, default=24.0, metavar="N", help="decisions of the last N hours (24)"
    )
    add_place(parser, KAFKA)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Checks the document, then judges the log by it."""
    campaigns = read_document(arguments.file)
    if campaigns is None:
        return exits.PROBLEMS
    since_ms = hours_ago_ms(arguments.hours)
    try:
        comparison = compare(campaigns, decisions_in(find(arguments, KAFKA), since_ms))
    except NoPlace as error:
        print(f"interlude: {error}", file=sys.stderr)
        return exits.USAGE
    except Unavailable as error:
        print(f"interlude: {error}", file=sys.stderr)
        return exits.PROBLEMS
    print(f"{arguments.file}, version {campaigns.version}, on {_counted(comparison.decisions)}")
    print("\n" + "\n\n".join(to_report(comparison, campaigns)))
    return exits.OK


def compare(campaigns: Campaigns, decisions: Iterable[pb.DecisionLogged]) -> Comparison:
    """All `decisions` judged by `campaigns`."""
    comparison = Comparison(campaigns)
    for logged in decisions:
        comparison.add(logged)
    return comparison


def to_report(comparison: Comparison, campaigns: Campaigns) -> Iterator[str]:
    """The paragraphs of the report: a table for each campaign, then what could not be compared."""
    for campaign_id, changes in sorted(comparison.changes.items()):
        yield f"{campaign_id}: {_shown_text(changes)}\n{render(list(_rows(changes)))}"
    for campaign_id, count in sorted(comparison.missing.items()):
        yield f"{campaign_id}: not in the document; {_counted(count)} would be refused as INVALID_ARGUMENT"
    new = [each.campaign_id for each in campaigns.campaigns if each.campaign_id not in comparison.changes]
    if new:
        yield f"no decision of these campaigns is in the log: {', '.join(new)}"
    moved = {name: count for name, count in comparison.without_name.items() if name != campaigns.default.campaign_id}
    for campaign_id, count in sorted(moved.items()):
        yield (
            f"{_counted(count)} named no campaign and went to {campaign_id}, as whose they are judged here; "
            f"the document's default is {campaigns.default.campaign_id}"
        )
    if comparison.unreadable:
        yield f"{_counted(comparison.unreadable)} logged under another schema of features: left out"
    yield _LIMIT


def _shown_text(changes: Counter[tuple[Reason, Reason]]) -> str:
    total = changes.total()
    then = sum(count for (old, _), count in changes.items() if old in SHOWN)
    now = sum(count for (_, new), count in changes.items() if new in SHOWN)
    changed = sum(count for (old, new), count in changes.items() if old is not new)
    return f"{_counted(total)}, shown {then} ({then / total:.1%}) → {now} ({now / total:.1%}), {changed} with another reason"


def _rows(changes: Counter[tuple[Reason, Reason]]) -> Iterator[tuple[str, str, str, str]]:
    """Reason then, reason now, count, share: the changed ones first, the most frequent first."""
    total = changes.total()
    yield "then", "under the document", "decisions", "share"
    for (then, now), count in sorted(changes.items(), key=lambda item: (item[0][0] is item[0][1], -item[1], item[0])):
        yield then.name, "the same" if then is now else now.name, str(count), f"{count / total:.1%}"


def _counted(count: int) -> str:
    return f"{count} decision{'' if count == 1 else 's'}"
