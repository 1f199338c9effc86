"""From the bytes of a campaign document to plain values. YAML, and JSON where the text begins with a brace.

Stricter than YAML is: a key twice is refused, because the first one would be ignored silently, and so are aliases, with which
a small text can describe a huge document. Times stay text: what they mean is the campaign's business.
"""

import json
from collections.abc import Hashable
from typing import Any, Final, NoReturn

import yaml

_TIME_TAG: Final = "tag:yaml.org,2002:timestamp"


class UnreadableText(Exception):
    """A text with an error of form; the message goes on after the name of the document."""


def parse_text(content: bytes) -> object:
    """The document as mappings, lists, text, numbers and booleans. Raises `UnreadableText`, with the line where there is one."""
    try:
        text = content.decode("utf-8-sig")
        return _from_json(text) if text.lstrip().startswith("{") else yaml.load(text, _Loader)
    except UnicodeDecodeError as error:
        raise UnreadableText(f"is not UTF-8: byte {error.start} is 0x{content[error.start]:02x}") from error
    except json.JSONDecodeError as error:
        raise UnreadableText(f"line {error.lineno}: is not JSON: {error.msg}") from error
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise UnreadableText(f"{line}is not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise UnreadableText(f"is not YAML: {str(error).splitlines()[0]}") from error
    except ValueError as error:  # a number of more digits than Python converts
        raise UnreadableText(f"cannot be read: {error}") from error
    except RecursionError as error:
        raise UnreadableText("is nested too deeply") from error


def _from_json(text: str) -> object:
    return json.loads(text, object_pairs_hook=_to_mapping, parse_constant=_refuse_constant)


def _to_mapping(pairs: list[tuple[str, object]]) -> dict[str, object]:
    mapping: dict[str, object] = {}
    for key, value in pairs:
        if key in mapping:
            raise UnreadableText(f"has the key {key!r} twice in one object")
        mapping[key] = value
    return mapping


def _refuse_constant(name: str) -> NoReturn:
    raise UnreadableText(f"is not JSON: {name} is no number")


class _Loader(yaml.SafeLoader):
    """YAML's plain values, without duplicate keys, aliases and times."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """As YAML, but an alias is an error."""
        if self.check_event(yaml.AliasEvent):
            event = self.get_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases are not taken", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """As YAML, but a key twice, or one that is not text, is an error."""
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is not text", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is there twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIME_TAG]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
