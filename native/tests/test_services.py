"""Health and reflection, as their own clients see them."""

from typing import Any

import grpc
import pytest
from conftest import Run
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def described() -> bytes:
    file = descriptor_pb2.FileDescriptorProto(name="echo.proto", package="test.v1", syntax="proto3")
    file.message_type.add(name="Text")
    service = file.service.add(name="Echo")
    service.method.add(name="Say", input_type=".test.v1.Text", output_type=".test.v1.Text")
    return descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString()


def test_health_is_checked_by_service(run: Run) -> None:
    front = run()
    stub = health_pb2_grpc.HealthStub(front.channel)

    def check(service: str) -> Any:
        return stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5).status

    assert check("") == SERVING
    with pytest.raises(grpc.RpcError) as raised:
        check("test.v1.Echo")
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    front.front.set_serving("test.v1.Echo", True)
    assert check("test.v1.Echo") == SERVING
    front.front.set_serving("test.v1.Echo", False)
    front.front.set_serving("", False)
    assert (check("test.v1.Echo"), check("")) == (NOT_SERVING, NOT_SERVING)


def test_health_is_watched(run: Run) -> None:
    front = run()
    front.front.set_serving("test.v1.Echo", False)
    stub = health_pb2_grpc.HealthStub(front.channel)
    watched = stub.Watch(health_pb2.HealthCheckRequest(service="test.v1.Echo"), timeout=10)
    assert next(watched).status == NOT_SERVING
    front.front.set_serving("test.v1.Echo", True)
    assert next(watched).status == SERVING
    watched.cancel()


def test_health_answers_while_python_is_busy(run: Run) -> None:
    front = run()
    front.hold()
    stub = health_pb2_grpc.HealthStub(front.channel)
    assert stub.Check(health_pb2.HealthCheckRequest(), timeout=5).status == SERVING


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_reflection_describes_what_was_given(run: Run, version: str) -> None:
    front = run(descriptor_set=described())
    method: Any = front.channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    requests = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="test.v1.Echo"),
    ]
    services, file = method(iter(requests), timeout=5)
    names = {service.name for service in services.list_services_response.service}
    assert names >= {"test.v1.Echo", "grpc.health.v1.Health"}
    parsed = descriptor_pb2.FileDescriptorProto.FromString(file.file_descriptor_response.file_descriptor_proto[0])
    assert parsed.service[0].method[0].name == "Say"


def test_without_a_description_there_is_no_reflection(run: Run) -> None:
    method: Any = run().channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
    with pytest.raises(grpc.RpcError) as raised:
        list(method(iter([b""]), timeout=5))
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
