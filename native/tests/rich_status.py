"""`google.rpc.Status` and `RetryInfo`, described here so that the tests need no package that only carries them."""

from typing import Any, Final

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, duration_pb2, message_factory

_FIELD: Final = descriptor_pb2.FieldDescriptorProto
_MESSAGES: Final[dict[str, list[tuple[str, int, int, int, str]]]] = {
    "Rich": [
        ("code", 1, _FIELD.TYPE_INT32, _FIELD.LABEL_OPTIONAL, ""),
        ("message", 2, _FIELD.TYPE_STRING, _FIELD.LABEL_OPTIONAL, ""),
        ("details", 3, _FIELD.TYPE_MESSAGE, _FIELD.LABEL_REPEATED, ".google.protobuf.Any"),
    ],
    "Info": [("retry_delay", 1, _FIELD.TYPE_MESSAGE, _FIELD.LABEL_OPTIONAL, ".google.protobuf.Duration")],
}


def _described() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="rich.proto",
        package="test.rich",
        syntax="proto3",
        dependency=[any_pb2.DESCRIPTOR.name, duration_pb2.DESCRIPTOR.name],
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, label, type_name in fields:
            message.field.add(name=field, number=number, type=kind, label=label, type_name=type_name or None)
    return file


_POOL: Final = descriptor_pool.Default()
_POOL.Add(_described())


def _message_class(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"test.rich.{name}"))


Rich: Final = _message_class("Rich")
Info: Final = _message_class("Info")
