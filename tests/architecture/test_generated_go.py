"""The Go code of examples/go was generated from the proto as it is now, which can be told without Go."""

import re
from pathlib import Path
from typing import Final

import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FileDescriptor

from devstack.places import REPOSITORY
from interlude.v1 import decision_pb2, events_pb2

_GENERATED: Final = REPOSITORY / "examples" / "go" / "interludev1"
_DESCRIPTOR: Final = re.compile(r'_rawDesc = "" \+\n((?:\t".*"(?: \+)?\n)+)')
_ESCAPE: Final = re.compile(rb"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|.)")
_SIMPLE: Final = dict(zip(b'abfnrtv\\"', b'\a\b\f\n\r\t\v\\"', strict=True))


def _unescape(escape: re.Match[bytes]) -> bytes:
    code = escape[1]
    if code[:1] == b"x":
        return bytes([int(code[1:], 16)])
    if len(code) == 5:
        return chr(int(code[1:], 16)).encode()
    return bytes([_SIMPLE[code[0]]])


def _embedded(path: Path) -> descriptor_pb2.FileDescriptorProto:
    """The description of the proto that its Go code carries as a string."""
    found = _DESCRIPTOR.search(path.read_text(encoding="utf-8"))
    assert found, f"{path.name} carries no description"
    lines = [line.strip().removesuffix(" +")[1:-1] for line in found[1].splitlines()]
    return descriptor_pb2.FileDescriptorProto.FromString(_ESCAPE.sub(_unescape, "".join(lines).encode()))


@pytest.mark.parametrize("proto", [decision_pb2.DESCRIPTOR, events_pb2.DESCRIPTOR], ids=["decision", "events"])
def test_go_code_is_current(proto: FileDescriptor) -> None:
    embedded = _embedded(_GENERATED / f"{Path(proto.name).stem}.pb.go")
    embedded.ClearField("options")  # the Go package, given on the command line
    for message in embedded.message_type:
        for field in message.field:
            field.ClearField("json_name")  # spelt out there, and a function of the name
    assert embedded == descriptor_pb2.FileDescriptorProto.FromString(proto.serialized_pb), (
        "generate it as examples/go/README.md says"
    )
