"""Everything that is wrong with a campaign document, in words: each problem with its path, its value and what was expected."""

import copy
import difflib
import json
from collections.abc import Iterator
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from interlude.contacts.campaign import MISFIT, Arm, Budget, Campaign, Campaigns

_EXPECTED: Final = {
    "greater_than_equal": "at least {ge:,}",
    "greater_than": "more than {gt:,}",
    "less_than_equal": "at most {le:,}",
    "finite_number": "a number",
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
    "bool_type": "true or false",
    "string_type": "text",
    "enum": "{expected}",
    "literal_error": "{expected}",
    "string_pattern_mismatch": "1 to 64 lower-case letters, digits, - and _, the first a letter or a digit",
    "string_too_short": "at least {min_length} character",
    "string_too_long": "at most {max_length} characters",
    "tuple_type": "a list",
    "model_type": "a mapping of fields",
    "model_attributes_type": "a mapping of fields",
    "timezone_aware": "a time with its offset from UTC, as in 2027-01-31T08:00:00+01:00",
    "datetime_type": "a time, as in 2027-01-31T08:00:00+01:00",
    "datetime_parsing": "a time, as in 2027-01-31T08:00:00+01:00",
    "datetime_from_date_parsing": "a time, as in 2027-01-31T08:00:00+01:00",
}
_SHOWN_LENGTH: Final = 60
_FIELDS: Final = {
    "document": list(Campaigns.model_fields),
    "campaign": list(Campaign.model_fields),
    "budget": list(Budget.model_fields),
    "arms": list(Arm.model_fields),
}
_NEEDED_BY: Final = {"starts_at": ("ends_at", "budget"), "ends_at": ("starts_at", "budget")}
"""What cannot be judged without a field."""


def validate(document: object) -> Campaigns:
    """The campaigns of plain values. Raises `ValidationError`."""
    # By way of JSON, strictly: what "yes" for a number was meant to say is not guessed.
    return Campaigns.model_validate_json(json.dumps(document), strict=True)


def find_problems(document: object, error: ValidationError) -> tuple[str, ...]:
    """The problems of `error`, the first one found in `document`, and all behind it.

    A rule about two fields is only looked at when every field is well-formed, and one about two campaigns when every campaign
    is. So what is wrong is taken out of a copy, and the rest looked at again.
    """
    rest = copy.deepcopy(document)
    found: list[str] = []
    remaining: ValidationError | None = error
    while remaining is not None:
        details = [detail for detail in remaining.errors(include_url=False) if not _is_an_echo(detail)]
        found += [problem for detail in details for problem in _describe(detail)]
        taken_out = [_take_out(rest, detail["loc"]) for detail in details]
        remaining = _error_in(rest) if taken_out and all(taken_out) else None
    return tuple(found)


def _is_an_echo(detail: ErrorDetails) -> bool:
    """A list none of whose entries is valid is called too short as well."""
    return detail["type"] == "too_short" and bool(detail["input"])


def _error_in(document: object) -> ValidationError | None:
    try:
        validate(document)
    except ValidationError as error:
        return error
    return None


def _take_out(document: Any, place: tuple[int | str, ...]) -> bool:
    """Whether `document` can be judged without what is at `place`."""
    match place:
        case ("campaigns", int(number), *inside):
            campaigns = document["campaigns"]
            if not inside:
                campaigns[number] = {"campaign_id": _name_of(campaigns[number], number)}
            else:
                _take_field_out(campaigns[number], number, inside)
        case ("campaigns",):
            return False
        case (str(field), *_):
            document.pop(field)
        case _:
            return False
    return True


def _take_field_out(campaign: dict[str, Any], number: int, place: list[int | str]) -> None:
    match place:
        case ["campaign_id"]:
            campaign["campaign_id"] = _name_of(None, number)
        case ["budget", str(field)]:
            budget = campaign.get("budget", {})  # gone where a time that it needs was wrong as well
            budget.pop(field, None)
            budget.setdefault("discounts", 0)
        case [str(field), *_]:
            for name in (field, *_NEEDED_BY.get(field, ())):
                campaign.pop(name, None)


def _name_of(campaign: Any, number: int) -> str:
    known = campaign.get("campaign_id") if isinstance(campaign, dict) else None
    return known if isinstance(known, str) else f"{number}-not-readable"


def _describe(detail: ErrorDetails) -> Iterator[str]:
    path = to_path(detail["loc"])
    if detail["type"] == MISFIT:
        for place, text in detail["ctx"]["problems"]:
            yield f"{path}.{place}: {text}" if path else f"{place}: {text}"
    else:
        yield f"{path or 'document'}: {_sentence(detail)}"


def to_path(place: tuple[int | str, ...]) -> str:
    """A place as people write it: campaigns[1].budget.discounts."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


def _sentence(detail: ErrorDetails) -> str:
    kind = detail["type"]
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return _unknown_field(detail["loc"])
    if kind in ("too_short", "too_long"):
        bound = "at least {min_length}" if kind == "too_short" else "at most {max_length}"
        return f"has {detail['ctx']['actual_length']} entries, expected {bound.format(**detail['ctx'])}"
    if kind in _EXPECTED:
        return f"is {_shown(detail['input'])}, expected {_EXPECTED[kind].format(**detail.get('ctx', {}))}"
    return f"is {_shown(detail['input'])}: {detail['msg']}"


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}…"


def _unknown_field(place: tuple[int | str, ...]) -> str:
    fields = _FIELDS["document" if len(place) == 1 else "campaign" if len(place) == 3 else str(place[2])]
    alike = difflib.get_close_matches(str(place[-1]), fields, n=1)
    return f"is no field; did you mean {alike[0]}?" if alike else "is no field"
