"""docs/policy.md: every rule in its order, and every field of a campaign, as the code has them."""

from typing import Any, Final

from pydantic import BaseModel

from docs.markdown import NOTE, cell
from interlude.contacts.campaign import Arm, Budget, Campaign
from services.decision.policy import RULES, Rule, Rung

_HEAD: Final = """# The policy

{note}

A decision goes through the rules in this order, and the first that matches is the answer. What no rule speaks against is
shown: `SHOW`, or `EXPLORED` where the score is below the threshold and chance shows it to learn. `tests/golden/decisions` has
one readable file for each reason and border, and `Explain` tells all rules for one listener, with what would change the
answer.

## Rules

| # | reason | rungs | what is compared | what would change it | campaign fields |
|---:|---|---|---|---|---|"""

_CHANCE: Final = """
## Then it is reserved

An offer that is to be shown, or withheld for the holdout, is reserved in Redis, where the caps are checked once more in one step
with adding the contact: the answer may still become `FREQUENCY_CAP`, `MINIMUM_GAP`, `LISTENING_HOUR`, `BUDGET_SPENT` or `PACED`
when others were faster, or `UNAVAILABLE` with rung `NO_RESERVATION` when Redis does not answer. No reservation, no ad.

## Chance

An answer carries its propensity: the probability with which its arm gives this answer here. It is 1 wherever no chance was
involved: for every rule before `LOW_SCORE`, and for a campaign that explores nothing and holds nobody out. With e =
`exploration_rate` and h = `holdout_share`:

| score | answer | propensity |
|---|---|---|
| below the threshold | `LOW_SCORE` | 1 − e |
| below the threshold | `EXPLORED` | e · (1 − h) |
| below the threshold | `HOLDOUT` | e · h |
| at or above it | `SHOW` | 1 − h |
| at or above it | `HOLDOUT` | h |

The threshold is the arm's, else the model's, else `prior_threshold`. Arm and holdout are drawn once for each customer,
exploration for each question; all three by a hash, so that the same question always has the same answer.

## The nearest yes

`Explain` names the smallest set of changes that turns its answer into a shown offer: the fewest changes, and among as many
the nearest. Nearest is a wait, then more tracks, then the campaign and its budget, then the customer's profile, then the
score. Waits for several rules are one, the longest. What is named was tried: with all of it the rules show the offer, and
with less they do not. Nothing is named where nothing was read of the customer.

## Campaign fields
"""
_ANY_RUNG: Final = "any"


def render_policy() -> str:
    """The whole of docs/policy.md."""
    lines = [_HEAD.format(note=NOTE)]
    lines += [_rule_row(place, rule) for place, rule in enumerate(RULES, start=1)]
    lines += [_CHANCE, *_table(Campaign)]
    for title, model in (("Fields of `budget`", Budget), ("Fields of each of `arms`", Arm)):
        lines += ["", f"### {title}", "", *_table(model)]
    return "\n".join(lines) + "\n"


def _rule_row(place: int, rule: Rule) -> str:
    rungs = _ANY_RUNG if rule.rungs == tuple(Rung) else ", ".join(f"`{rung.name}`" for rung in rule.rungs)
    fields = ", ".join(f"`{field}`" for field in rule.fields) or "–"
    return f"| {place} | `{rule.reason.name}` | {rungs} | {cell(rule.compares)} | {cell(rule.remedy)} | {fields} |"


def _table(model: type[BaseModel]) -> list[str]:
    document = model.model_json_schema()
    required = document.get("required", ())
    rows = [
        f"| `{name}` | {_limits(_resolved(field, document))} | {_default(name, field, required)} "
        f"| {cell(field['description'])} |"
        for name, field in document["properties"].items()
    ]
    return ["| field | value | default | what it does |", "|---|---|---|---|", *rows]


def _resolved(field: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """The field without "or null" and with what it refers to: absent is what null says in a campaign."""
    options = [option for option in field.get("anyOf", [field]) if option.get("type") != "null"]
    definition = document.get("$defs", {}).get(str(options[0].get("$ref", "")).rpartition("/")[2], {})
    return {**definition, **options[0]}


def _limits(field: dict[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    names = {"integer": "whole number", "number": "number", "boolean": "true or false", "string": "text"}
    names |= {"object": "see below", "array": "list, see below"}
    text = "date and time" if field.get("format") == "date-time" else names[field["type"]]
    low, high = field.get("minimum", field.get("exclusiveMinimum")), field.get("maximum")
    if low is not None:
        text += f", {'over ' if 'exclusiveMinimum' in field else ''}{low:g} to {high:,}"
    if "maxLength" in field:
        text += f", at most {field['maxLength']} characters"
    return text


def _default(name: str, field: dict[str, Any], required: list[str]) -> str:
    if name in required:
        return "**required**"
    default = field.get("default")
    if default in (None, "", []):
        return "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"
