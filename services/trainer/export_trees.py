"""Boosted trees as the file that serves: one tree ensemble of ONNX, and a sigmoid in double precision behind it."""

from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from services.trainer.trees import LEAF, Trees

_ML_DOMAIN: Final = "ai.onnx.ml"
_ML_OPSET: Final = 3
_OPSET: Final = 22
_IR_VERSION: Final = 10
"""What that operator set came with; newer ones are of no use here and refused by older runtimes."""


def trees_to_onnx(trees: Trees) -> bytes:
    """The trees as an ONNX file: input `features` float32 (rows, features), output `probabilities` float32 (rows, 2)."""
    constants = {"slope": trees.slope, "offset": trees.offset, "one": 1.0}
    nodes = [
        helper.make_node("TreeEnsembleRegressor", ["features"], ["sum"], domain=_ML_DOMAIN, **_ensemble(trees)),
        helper.make_node("Cast", ["sum"], ["sum_double"], to=TensorProto.DOUBLE),
        helper.make_node("Mul", ["sum_double", "slope"], ["scaled"]),
        helper.make_node("Add", ["scaled", "offset"], ["margin"]),
        helper.make_node("Sigmoid", ["margin"], ["click"]),
        helper.make_node("Sub", ["one", "click"], ["no_click"]),
        helper.make_node("Concat", ["no_click", "click"], ["both"], axis=1),
        helper.make_node("Cast", ["both"], ["probabilities"], to=TensorProto.FLOAT),
    ]
    graph = helper.make_graph(
        nodes,
        "boosted",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, trees.width])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2])],
        [numpy_helper.from_array(np.array(value, np.float64), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_ML_DOMAIN, _ML_OPSET)]
    model: Any = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def _ensemble(trees: Trees) -> dict[str, Any]:
    places = np.arange(len(trees.feature))
    # Nodes of one tree follow its root, and each tree numbers its own.
    tree = np.searchsorted(trees.roots, places, side="right") - 1
    first = trees.roots[tree]
    leaves = trees.feature == LEAF
    inner = {
        "nodes_treeids": tree,
        "nodes_nodeids": places - first,
        "nodes_featureids": np.where(leaves, 0, trees.feature),
        "nodes_truenodeids": np.where(leaves, 0, trees.left - first),
        "nodes_falsenodeids": np.where(leaves, 0, trees.right - first),
        "target_treeids": tree[leaves],
        "target_nodeids": (places - first)[leaves],
        "target_ids": np.zeros(int(leaves.sum()), np.int64),
        "nodes_values": trees.threshold,
        "target_weights": trees.value[leaves].astype(np.float32),
    }
    return {
        **{name: values.tolist() for name, values in inner.items()},
        "nodes_modes": ["LEAF" if leaf else "BRANCH_LEQ" for leaf in leaves],
        "n_targets": 1,
    }
