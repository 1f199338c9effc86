"""The methods of the service as a gRPC server takes them.

Unlike the generated registration, a body that does not parse reaches the servicer as `UNREADABLE`: grpcio itself would end
the call as INTERNAL, and call the caller's fault ours.
"""

from collections.abc import Callable
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from interlude.v1 import decision_pb2, decision_pb2_grpc

UNREADABLE: Final = object()
"""Stands for a request whose bytes are not its message."""

_SERVICE: Final = decision_pb2.DESCRIPTOR.services_by_name["DecisionService"]
SERVICE_NAME: Final[str] = _SERVICE.full_name


def method_handlers(
    servicer: decision_pb2_grpc.DecisionServiceServicer,
) -> "dict[str, grpc.RpcMethodHandler[Any, Any]]":
    """One handler per method of the service; all of them are unary."""
    return {
        method.name: grpc.unary_unary_rpc_method_handler(
            getattr(servicer, method.name),
            request_deserializer=_reader(GetMessageClass(method.input_type)),
            response_serializer=GetMessageClass(method.output_type).SerializeToString,
        )
        for method in _SERVICE.methods
    }


def _reader(message_type: type[Message]) -> Callable[[bytes], Any]:
    parse = message_type.FromString

    def read(body: bytes) -> Any:
        try:
            return parse(body)
        except DecodeError:
            return UNREADABLE

    return read
