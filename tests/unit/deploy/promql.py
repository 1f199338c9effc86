"""Which series and labels a PromQL expression names. Enough of the grammar for expressions that Prometheus accepts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<range>\[[^\]]*\])
      | (?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?[a-z]*)
      | (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
      | (?P<sign>=~|!~|!=|==|>=|<=|[-+*/%^(){},=<>])
      | (?P<space>\s+)""",
    re.VERBOSE,
)
_GROUPING: Final = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_WORDS: Final = frozenset({"and", "or", "unless", "bool", "offset", "inf", "nan"})


class NotPromql(Exception):
    """Text that does not read as an expression."""


@dataclass(frozen=True, slots=True)
class Selector:
    """One series as an expression names it, and the values that it asks of its labels: (label, operator, value)."""

    series: str
    matchers: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Expression:
    """What is named: series, and the labels that results are grouped by."""

    selectors: tuple[Selector, ...]
    grouping: frozenset[str]


def read_expression(text: str) -> Expression:
    """Raises `NotPromql` where a token, a bracket or a matcher does not read."""
    tokens = list(_tokens(text))
    _check_brackets(tokens)
    selectors: list[Selector] = []
    grouping: set[str] = set()
    place = 0
    while place < len(tokens):
        kind, token = tokens[place]
        following = tokens[place + 1][1] if place + 1 < len(tokens) else ""
        place += 1
        if kind != "name" or token in _WORDS:
            continue
        if token in _GROUPING:
            end = _closing(tokens, place, ")")
            grouping |= {name for kind, name in tokens[place:end] if kind == "name"}
            place = end
        elif following == "{":
            end = _closing(tokens, place, "}")
            selectors.append(Selector(token, _matchers(tokens[place + 1 : end])))
            place = end
        elif following != "(" and following not in _GROUPING:
            selectors.append(Selector(token))
    return Expression(tuple(selectors), frozenset(grouping))


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise NotPromql(f"{text[place : place + 10]!r} in {text!r}")
        place = found.end()
        if found.lastgroup not in {"space", None}:
            yield str(found.lastgroup), found.group()


def _check_brackets(tokens: list[tuple[str, str]]) -> None:
    pairs = {")": "(", "}": "{"}
    opened: list[str] = []
    for kind, token in tokens:
        if kind == "sign" and token in "({":
            opened.append(token)
        elif kind == "sign" and token in pairs and (not opened or opened.pop() != pairs[token]):
            raise NotPromql(f"{token} closes nothing")
    if opened:
        raise NotPromql(f"{opened[-1]} is not closed")


def _closing(tokens: list[tuple[str, str]], start: int, bracket: str) -> int:
    return next(place for place in range(start, len(tokens)) if tokens[place] == ("sign", bracket))


def _matchers(tokens: list[tuple[str, str]]) -> tuple[tuple[str, str, str], ...]:
    parts = [token for token in tokens if token != ("sign", ",")]
    if len(parts) % 3:
        raise NotPromql(f"matchers {parts}")
    triples = [parts[place : place + 3] for place in range(0, len(parts), 3)]
    if any([kind for kind, _ in triple] != ["name", "sign", "string"] for triple in triples):
        raise NotPromql(f"matchers {parts}")
    return tuple((label, operator, value[1:-1]) for (_, label), (_, operator), (_, value) in triples)
