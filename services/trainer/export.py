"""From Spark's numbers to the file that serves: scikit-learn, then skl2onnx.

The file takes float32, computes in double precision and answers in float32: steep models (the public data set's has
coefficients of 500) lose more than the allowed 1e-5 when the sum itself is float32 (docs/adr/0010-double-inside-the-model.md).
"""

from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.utils import Extractor
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from skl2onnx.sklapi import CastTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from services.trainer.export_trees import trees_to_onnx
from services.trainer.linear import Linear, Predictor
from services.trainer.trees import Trees

TARGET_OPSET: Final = 22
"""The newest operator set that the pinned skl2onnx writes."""

_PROBABILITIES: Final = "probabilities"
_DOUBLE: Final = "probabilities_double"


def to_model_file(predictor: Predictor) -> bytes:
    """The predictor as an ONNX file, whatever its form. Raises TypeError for a form that nothing here writes."""
    if isinstance(predictor, Trees):
        return trees_to_onnx(predictor)
    if isinstance(predictor, Linear):
        return to_onnx_file(to_sklearn(predictor))
    raise TypeError(f"no export for {type(predictor).__name__}")


def to_sklearn(linear: Linear) -> LogisticRegression:
    """A fitted scikit-learn classifier of classes 0 and 1 with these coefficients."""
    model = LogisticRegression()
    model.coef_ = linear.coefficients.reshape(1, -1)
    model.intercept_ = np.array([linear.intercept])
    model.classes_ = np.array([0, 1])
    model.n_features_in_ = len(linear.coefficients)
    return model


def to_onnx_file(classifier: LogisticRegression) -> bytes:
    """The classifier as an ONNX file: input `features` float32 (rows, features), output `probabilities` float32 (rows, 2)."""
    pipeline: Pipeline = make_pipeline(CastTransformer(dtype=np.float64), classifier)
    inputs = [("features", FloatTensorType([None, classifier.n_features_in_]))]
    model: Any = to_onnx(pipeline, initial_types=inputs, target_opset=TARGET_OPSET, options={"zipmap": False})
    _answer_in_float32(model.graph)
    # The class itself, for which five of thirteen operators are there, is nobody's question: thresholds are ours.
    model = Extractor(model).extract_model(["features"], [_PROBABILITIES])
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def _answer_in_float32(graph: Any) -> None:
    """Rename the double output and put a cast to float32, under the contract's name, behind it."""
    for node in graph.node:
        for place, name in enumerate(node.output):
            if name == _PROBABILITIES:
                node.output[place] = _DOUBLE
    graph.node.append(helper.make_node("Cast", [_DOUBLE], [_PROBABILITIES], to=TensorProto.FLOAT))
    for output in graph.output:
        if output.name == _PROBABILITIES:
            output.type.tensor_type.elem_type = TensorProto.FLOAT
