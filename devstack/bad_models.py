"""Every kind of model that must not serve, by name, put into a store as somebody with access to it could."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import onnx
from onnx import TensorProto, helper

from devstack.keys import Keys, generate_keys
from devstack.models import STINGY, ModelSpec
from interlude.features.schema import FINGERPRINTS, STATE_FEATURE_NAMES
from interlude.models.manifest import Manifest, RefusedModel, sign
from interlude.models.store import MODEL_BYTES_LIMIT

_SPEC: Final = ModelSpec(STINGY - 1.0)
_WIDTH: Final = len(STATE_FEATURE_NAMES)
_GOLDEN: Final = [{"features": [-1.0] * _WIDTH, "probability": 0.5}]


@dataclass(frozen=True, slots=True)
class BadModel:
    """Files of one version; None: there is no such file. `check` is what it has to be refused for."""

    check: str
    document: bytes
    signature: bytes | None
    model: bytes
    version: str
    model_bytes: int | None = None
    """Size of the model file, where it is to be padded with nothing."""

    def put(self, store: Path) -> None:
        """Write it into the store and point to it, whatever it is."""
        directory = store / "versions" / self.version
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "model.onnx").write_bytes(self.model)
        if self.model_bytes is not None:
            os.truncate(directory / "model.onnx", self.model_bytes)  # sparse: takes no room on disk
        if self.signature is not None:
            (directory / "manifest.sig").write_bytes(self.signature)
        (directory / "manifest.json").write_bytes(self.document)
        point(store, self.version)


def point(store: Path, version: str) -> None:
    """Make `version` the champion without asking whether it may be; the one before stays named."""
    champion = store / "champion.json"
    before = json.loads(champion.read_bytes())
    unfinished = champion.with_suffix(".new")
    unfinished.write_text(json.dumps({**before, "version": version, "previous": before["version"]}))
    os.replace(unfinished, champion)


def _bad(
    check: str,
    keys: Keys,
    *,
    model: bytes | None = None,
    sent: bytes | None = None,
    document: bytes | None = None,
    version: str = "",
    model_bytes: int | None = None,
    **changes: Any,
) -> BadModel:
    """A whole model with something changed: `model` is signed, `sent` (if given) is what is in its place."""
    file = _SPEC.file if model is None else model
    fields = {**json.loads(_SPEC.manifest.to_json()), "model_sha256": hashlib.sha256(file).hexdigest(), **changes}
    written = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode() if document is None else document
    signature = sign(written, keys.model_private_key)
    return BadModel(
        check, written, signature, file if sent is None else sent, version or _version(written), model_bytes
    )


def _version(document: bytes) -> str:
    try:
        return Manifest.from_json(document).version
    except RefusedModel:
        return hashlib.sha256(document).hexdigest()[:16]


def _unsigned(signature: bytes | None, check: str, keys: Keys) -> BadModel:
    good = _bad(check, keys, training_source=f"signature {signature!r}")
    return BadModel(check, good.document, signature, good.model, good.version)


def _changed_after_signing(keys: Keys) -> BadModel:
    good = _bad("signature", keys, training_source="signed")
    return BadModel("signature", good.document.replace(b"0.5", b"0.1"), good.signature, good.model, good.version)


def _graph(
    operator: str = "Sigmoid",
    *,
    inputs: tuple[tuple[str, int, list[Any]], ...] = (("features", TensorProto.FLOAT, ["rows", _WIDTH]),),
    output: str = "probabilities",
    kind: int = TensorProto.FLOAT,
    domain: str = "",
    initializer: tuple[Any, ...] = (),
    **attributes: Any,
) -> bytes:
    """A model of one operator on its first input."""
    graph = helper.make_graph(
        [helper.make_node(operator, [inputs[0][0]], [output], domain=domain, **attributes)],
        "g",
        [helper.make_tensor_value_info(*each) for each in inputs],
        [helper.make_tensor_value_info(output, kind, inputs[0][2])],
        initializer,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    content: bytes = model.SerializeToString()
    return content


def _external() -> bytes:
    tensor = helper.make_tensor("w", TensorProto.FLOAT, [_WIDTH], [0.0] * _WIDTH)
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../champion.json")
    return _graph(initializer=(tensor,))


def _looping() -> bytes:
    body = onnx.load_model_from_string(_graph()).graph
    return _graph("Loop", body=body)


_OTHERS: Final = dict.fromkeys(STATE_FEATURE_NAMES, "0" * 12)
_DOUBLES: Final = (("features", TensorProto.DOUBLE, ["rows", _WIDTH]),)
_TWO: Final = (
    ("features", TensorProto.FLOAT, ["rows", _WIDTH]),
    ("more", TensorProto.FLOAT, ["rows", _WIDTH]),
)
_UNLIKE: Final = [{"features": [0.0] * _WIDTH, "probability": 0.9}]
_NARROW: Final = [{"features": [0.0], "probability": 0.5}]

BAD_MODELS: Final[dict[str, Callable[[Keys], BadModel]]] = {
    "truncated": partial(_bad, "hash", sent=_SPEC.file[:200], training_source="truncated"),
    "truncated and signed": partial(_bad, "load", model=_SPEC.file[: len(_SPEC.file) // 2]),
    "empty and signed": partial(_bad, "load", model=b""),
    "no ONNX": partial(_bad, "load", model=b"\xff" * 1000),
    "another file": partial(_bad, "hash", sent=ModelSpec().file, training_source="another file"),
    "too large": partial(_bad, "size", model_bytes=MODEL_BYTES_LIMIT + 1, training_source="large"),
    "without a signature": partial(_unsigned, None, "missing"),
    "empty signature": partial(_unsigned, b"", "signature"),
    "signature of zeros": partial(_unsigned, bytes(64), "signature"),
    "signed by another": lambda _: _bad("signature", generate_keys(), training_source="another"),
    "changed after signing": _changed_after_signing,
    "loop": lambda keys: _bad("operators", keys, model=_looping()),
    "chance": lambda keys: _bad("operators", keys, model=_graph("RandomUniformLike")),
    "operator of another domain": lambda keys: _bad("operators", keys, model=_graph(domain="com.example")),
    "external data": lambda keys: _bad("external", keys, model=_external()),
    "unknown feature": lambda keys: _bad("features", keys, features=["shoe_size", *STATE_FEATURE_NAMES[1:]]),
    "changed feature": lambda keys: _bad(
        "features", keys, fingerprints=["0" * 12, *(FINGERPRINTS[name] for name in STATE_FEATURE_NAMES[1:])]
    ),
    "other schema": lambda keys: _bad("features", keys, fingerprints=list(_OTHERS.values())),
    "fewer features than fingerprints": lambda keys: _bad("features", keys, features=list(STATE_FEATURE_NAMES[1:])),
    "feature twice": lambda keys: _bad("features", keys, features=[STATE_FEATURE_NAMES[0]] * _WIDTH),
    "feature that is no text": lambda keys: _bad("features", keys, features=[7] * _WIDTH),
    "input of another name": lambda keys: _bad(
        "shape", keys, model=_graph(inputs=(("x", TensorProto.FLOAT, ["rows", _WIDTH]),))
    ),
    "input of another width": lambda keys: _bad(
        "shape", keys, model=_graph(inputs=(("features", TensorProto.FLOAT, ["rows", 5]),))
    ),
    "input of a fixed number of rows": lambda keys: _bad(
        "shape", keys, model=_graph(inputs=(("features", TensorProto.FLOAT, [3, _WIDTH]),))
    ),
    "input of doubles": lambda keys: _bad("shape", keys, model=_graph(inputs=_DOUBLES, kind=TensorProto.DOUBLE)),
    "two inputs": lambda keys: _bad("shape", keys, model=_graph(inputs=_TWO)),
    "output of another name": lambda keys: _bad("shape", keys, model=_graph(output="label")),
    "output of doubles": lambda keys: _bad(
        "shape", keys, model=_graph("Cast", kind=TensorProto.DOUBLE, to=TensorProto.DOUBLE)
    ),
    "answers that are not numbers": lambda keys: _bad("golden", keys, model=_graph("Sqrt"), golden=_GOLDEN),
    "infinite answers": lambda keys: _bad(
        "golden", keys, model=_graph("Exp"), golden=[{**_GOLDEN[0], "features": [1e6] * _WIDTH}]
    ),
    "one answer for all rows": lambda keys: _bad("golden", keys, model=_graph("ReduceMax")),
    "no golden rows": partial(_bad, "golden", golden=[]),
    "other golden rows": partial(_bad, "golden", golden=_UNLIKE),
    "narrow golden rows": partial(_bad, "golden", golden=_NARROW),
    "golden probability of 2": partial(_bad, "golden", golden=[{**_GOLDEN[0], "probability": 2}]),
    "trained on zero rows": partial(_bad, "manifest", training_rows=0),
    "manifest that is not JSON": partial(_bad, "manifest", document=b"threshold: 0.5"),
    "manifest too deep": partial(_bad, "manifest", document=b"[" * 100_000),
    "unknown field": partial(_bad, "manifest", weights="elsewhere"),
    "other format": partial(_bad, "format", format_version=2),
    "another version's name": partial(_bad, "version", version="f" * 16),
    "path out of the store": partial(_bad, "version", version="../../outside"),
    "threshold above 1": partial(_bad, "threshold", threshold=1.5),
    "threshold below 0": partial(_bad, "threshold", threshold=-0.1),
    "threshold that is no number": partial(_bad, "threshold", threshold="high"),
    "threshold that JSON does not have": partial(_bad, "manifest", threshold=float("nan")),
    "infinite threshold": partial(
        _bad, "manifest", document=_SPEC.manifest.to_json().replace(b'"threshold":0.5', b'"threshold":1e999')
    ),
}
"""What makes each, signed with the given keys where it is signed: only when it is asked for."""
