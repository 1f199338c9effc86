"""What an ONNX file is made of, read before anything runs it: its operators, and whether all of it is in the file.

ONNX is protobuf; the few fields looked at are walked by their numbers in onnx.proto, so that serving needs no package for making
models.
"""

from collections.abc import Iterator
from typing import Final

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from interlude.models.manifest import RefusedModel

OPERATORS: Final = frozenset(
    {
        *(
            "Abs",
            "Add",
            "ArgMax",
            "Cast",
            "Clip",
            "Concat",
            "Constant",
            "Div",
            "Exp",
            "Flatten",
            "Gather",
            "Gemm",
            "Greater",
        ),
        *(
            "Identity",
            "Less",
            "Log",
            "MatMul",
            "Max",
            "Min",
            "Mul",
            "Neg",
            "Pow",
            "ReduceMax",
            "ReduceMean",
            "ReduceSum",
        ),
        *("Relu", "Reshape", "Shape", "Sigmoid", "Slice", "Softmax", "Sqrt", "Squeeze", "Sub", "Tanh", "Transpose"),
        *("Unsqueeze", "Where"),
        *("ArrayFeatureExtractor", "LinearClassifier", "LinearRegressor", "Normalizer", "Scaler"),
        *("TreeEnsembleClassifier", "TreeEnsembleRegressor", "ZipMap"),
    }
)
"""Arithmetic on rows. No loops and branches, whose time has no bound; no chance; nothing with state, strings or images."""

DOMAINS: Final = frozenset({"", "ai.onnx", "ai.onnx.ml"})
"""Where operators are defined publicly; any other would be code of somebody's."""

_MODEL_GRAPH, _MODEL_FUNCTIONS = 7, 25
_GRAPH_NODE, _GRAPH_INITIALIZER = 1, 5
_NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSORS: Final = (5, 10)
_TENSOR_EXTERNAL_DATA, _TENSOR_LOCATION = 13, 14


def check_graph(model: bytes) -> None:
    """Raises `RefusedModel` for operators that are not in `OPERATORS`, and for weights that are in other files."""
    if list(_messages(model, _MODEL_FUNCTIONS)):
        raise RefusedModel("operators", "the model defines functions of its own")
    for graph in _messages(model, _MODEL_GRAPH):
        for tensor in _messages(graph, _GRAPH_INITIALIZER):
            _check_tensor(tensor)
        for node in _messages(graph, _GRAPH_NODE):
            _check_node(node)


def _check_node(node: bytes) -> None:
    operator, domain = (_text(node, number) for number in (_NODE_OPERATOR, _NODE_DOMAIN))
    if domain not in DOMAINS or operator not in OPERATORS:
        raise RefusedModel("operators", f"operator {domain[:64]!a}/{operator[:64]!a} is not allowed")
    for attribute in _messages(node, _NODE_ATTRIBUTE):
        for tensor in _messages(attribute, *_ATTRIBUTE_TENSORS):
            _check_tensor(tensor)


def _check_tensor(tensor: bytes) -> None:
    if any(number in {_TENSOR_EXTERNAL_DATA, _TENSOR_LOCATION} and value for number, value in _fields(tensor)):
        raise RefusedModel("external", "weights are in another file, which nobody has signed")


def _text(message: bytes, number: int) -> str:
    return b"".join(_messages(message, number)).decode(errors="replace")


def _messages(message: bytes, *numbers: int) -> Iterator[bytes]:
    """The values of these fields: messages or texts, as bytes."""
    for number, value in _fields(message):
        if number in numbers and isinstance(value, bytes):
            yield value


def _fields(message: bytes) -> Iterator[tuple[int, object]]:
    try:
        fields = UnknownFieldSet(Empty.FromString(message))
    except DecodeError as error:
        raise RefusedModel("load", "the file is no ONNX model") from error
    for place in range(len(fields)):
        yield fields[place].field_number, fields[place].data
