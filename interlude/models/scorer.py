"""A model in memory: ONNX Runtime behind one method."""

from typing import Final

import numpy as np
import numpy.typing as npt
import onnxruntime

from interlude.features.schema import FEATURE_NAMES, FINGERPRINTS, STATE_FEATURES
from interlude.models.graph import check_graph
from interlude.models.manifest import Manifest, RefusedModel
from interlude.models.store import StoredModel

GOLDEN_TOLERANCE: Final = 1e-5
"""The parity that the trainer proves between Spark, scikit-learn and ONNX Runtime; the golden rows may differ by no more."""

_FEATURES: Final = "features"
_PROBABILITIES: Final = "probabilities"
_CLICK: Final = 1

Matrix = npt.NDArray[np.float32]


class Scorer:
    """Scores whole batches with one run of one ONNX session. Safe to share between threads."""

    def __init__(self, model: bytes, manifest: Manifest) -> None:
        """Raises `RefusedModel` when the file holds what it must not, ONNX Runtime does not take it, or its inputs and outputs
        are not the contract's."""
        self.columns: Final = _columns(manifest)
        self.takes_moment: Final = max(self.columns) >= len(STATE_FEATURES)
        """Whether it takes features that are not in the stored vector: see `moment_features.with_moment`."""
        self._takes_stored_vector = self.columns == list(range(len(STATE_FEATURES)))
        check_graph(model)
        self._session = _open(model)
        _check_interface(self._session, len(self.columns))

    def score(self, features: Matrix) -> npt.NDArray[np.float32]:
        """Click probabilities, shape (rows,), for `features` of shape (rows, model's features), in the manifest's order."""
        probabilities = self._session.run([_PROBABILITIES], {_FEATURES: features})[0]
        column: npt.NDArray[np.float32] = probabilities[:, _CLICK]
        return column

    def score_vectors(self, vectors: Matrix) -> npt.NDArray[np.float32]:
        """The same for `vectors` in the schema's order, of shape (rows, features of the schema): all of them, or, unless the model
        `takes_moment`, those of the stored vector."""
        if self._takes_stored_vector and vectors.shape[1] == len(STATE_FEATURES):
            return self.score(vectors)
        return self.score(np.ascontiguousarray(vectors[:, self.columns]))


def load_scorer(stored: StoredModel) -> Scorer:
    """The scorer of a stored model, warmed and checked on its golden rows. Raises `RefusedModel`."""
    scorer = Scorer(stored.model, stored.manifest)
    golden = stored.manifest.golden
    if not golden:
        raise RefusedModel("golden", "the manifest has no golden rows")
    expected = np.array([row.probability for row in golden], np.float32)
    try:
        rows = np.array([row.features for row in golden], np.float32)
        together = scorer.score(rows)
        alone = np.concatenate([scorer.score(rows[place : place + 1]) for place in range(len(rows))])
    except Exception as error:  # numpy's, or ONNX Runtime's own, whose family has no common public parent
        raise RefusedModel("golden", f"the golden rows cannot be scored ({type(error).__name__})") from error
    for got in (together, alone):
        _check_golden(got, expected)
    return scorer


def _check_golden(got: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> None:
    if not np.all(np.isfinite(got)):
        raise RefusedModel("golden", "the model answers with values that are not finite")
    if got.shape != expected.shape:
        raise RefusedModel("golden", f"the model gives {got.shape} answers to {expected.shape} rows")
    difference = float(np.max(np.abs(got - expected)))
    if not difference <= GOLDEN_TOLERANCE:  # an expectation that is not a number is never met
        raise RefusedModel("golden", f"golden rows differ by up to {difference:.2e}, limit {GOLDEN_TOLERANCE:.0e}")


def _columns(manifest: Manifest) -> list[int]:
    """Where the model's features are in the schema's vector. Raises `RefusedModel`."""
    for name, fingerprint in zip(manifest.features, manifest.fingerprints, strict=False):
        if name not in FINGERPRINTS:
            raise RefusedModel("features", f"feature {name!r} is not in the schema")
        if FINGERPRINTS[name] != fingerprint:
            raise RefusedModel("features", f"feature {name!r} has another definition than the one it was trained on")
    if not manifest.features or len(manifest.features) != len(manifest.fingerprints):
        raise RefusedModel("features", "features and fingerprints do not match up")
    return [FEATURE_NAMES.index(name) for name in manifest.features]


def _open(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # One row or a few: a second thread costs more than it gives, and a spinning one takes the core from the server.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises a family of its own without a common public parent
        raise RefusedModel("load", f"ONNX Runtime does not take the file ({type(error).__name__})") from error


def _check_interface(session: onnxruntime.InferenceSession, width: int) -> None:
    inputs = [(each.name, each.type, each.shape[-1:]) for each in session.get_inputs()]
    if inputs != [(_FEATURES, "tensor(float)", [width])]:
        raise RefusedModel("shape", f"expected one float input named {_FEATURES!r} of {width} columns")
    rows = session.get_inputs()[0].shape[:-1]
    if len(rows) != 1 or isinstance(rows[0], int):
        raise RefusedModel("shape", f"expected any number of rows, not {rows}")
    if (_PROBABILITIES, "tensor(float)") not in [(each.name, each.type) for each in session.get_outputs()]:
        raise RefusedModel("shape", f"expected a float output named {_PROBABILITIES!r}")
