"""`interlude campaign check FILE`: is this document in order? `interlude campaign show [FILE]`: what does it say?
`interlude campaign dry-run FILE`, see `dry_run`: what would it have decided?
"""

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cli import dry_run, exits
from cli.documents import read_document
from cli.table import render
from interlude.contacts.campaign import Campaign, Campaigns

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_DEFAULT = "(default)"


def add_to(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the parser of this command."""
    actions = commands.add_parser("campaign", help="check, show or try a campaign document").add_subparsers(
        required=True, metavar="ACTION"
    )
    check = actions.add_parser("check", help="name every problem of a document; exit code 1 where there is one")
    check.add_argument("file", metavar="FILE", help="YAML or JSON")
    check.set_defaults(run=run_check)
    show = actions.add_parser("show", help="every campaign with every field and its value")
    show.add_argument(
        "file", metavar="FILE", nargs="?", default="", help="YAML or JSON; without it the built-in document"
    )
    show.set_defaults(run=run_show)
    dry_run.add_to(actions)


def run_check(arguments: argparse.Namespace) -> int:
    """Says what every service would say that is given the document."""
    campaigns = read_document(arguments.file)
    if campaigns is None:
        return exits.PROBLEMS
    count = len(campaigns.campaigns)
    print(f"{arguments.file}: in order, version {campaigns.version}, {count} campaign{'s' if count > 1 else ''}")
    return exits.OK


def run_show(arguments: argparse.Namespace) -> int:
    """Prints the campaigns, the default one first."""
    campaigns = read_document(arguments.file)
    if campaigns is None:
        return exits.PROBLEMS
    print(show(campaigns, arguments.file or "the built-in document"))
    return exits.OK


def show(campaigns: Campaigns, name: str) -> str:
    """The document for a person. "(default)" stands at every value that holds without being written down."""
    tables = [f"{name}, version {campaigns.version}"]
    for place, campaign in enumerate(campaigns.campaigns):
        role = ", the campaign of requests that name none" if place == 0 else ""
        tables.append(f"{campaign.campaign_id}{role}\n{render(list(_rows(campaign)))}")
    return "\n\n".join(tables)


def _rows(campaign: Campaign) -> Iterator[tuple[str, str, str]]:
    for name, field in Campaign.model_fields.items():
        value = getattr(campaign, name)
        parts = _parts(name, value)
        if parts:
            for path, part in parts:
                yield from _part_rows(path, part)
        else:
            yield _row(name, value, field)


def _parts(name: str, value: object) -> list[tuple[str, BaseModel]]:
    """The models within a value: a budget, or each arm."""
    if isinstance(value, BaseModel):
        return [(name, value)]
    if isinstance(value, tuple):
        return [(f"{name}[{place}]", part) for place, part in enumerate(value)]
    return []


def _part_rows(path: str, part: BaseModel) -> Iterator[tuple[str, str, str]]:
    for name, field in type(part).model_fields.items():
        yield _row(f"{path}.{name}", getattr(part, name), field)


def _row(path: str, value: object, field: FieldInfo) -> tuple[str, str, str]:
    is_default = not field.is_required() and value == field.default
    return path, _shown(value), _DEFAULT if is_default else ""


def _shown(value: object) -> str:
    if value in (None, ()):
        return "none"
    return value if isinstance(value, str) else json.dumps(value, default=str).strip('"')
