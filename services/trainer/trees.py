"""Boosted trees as numbers: Spark's nodes in flat arrays."""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pyspark.ml.classification import GBTClassificationModel

from services.trainer.linear import Matrix, Vector

LEAF: Final = -1
"""The feature of a node that asks nothing."""

LOG_ODDS_PER_MARGIN: Final = 2.0
"""Spark boosts on labels -1 and 1: its probability is 1 / (1 + exp(-2 margin))."""


@dataclass(frozen=True, slots=True)
class Trees:
    """`margin = slope * sum of the leaves reached + offset`.

    Nodes are arrays of shape (nodes,), those of tree `t` being `roots[t]` and what it leads to. A node sends a row to `left`
    where `features[:, feature] <= threshold`, else to `right`; a leaf has feature `LEAF` and a `value`.
    """

    width: int
    roots: npt.NDArray[np.int64]
    feature: npt.NDArray[np.int64]
    threshold: npt.NDArray[np.float32]
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    value: Vector
    slope: float = LOG_ODDS_PER_MARGIN
    offset: float = 0.0

    @property
    def is_finite(self) -> bool:
        """Whether every number is one."""
        return bool(np.all(np.isfinite(self.value)) and np.isfinite(self.slope) and np.isfinite(self.offset))

    def margins(self, features: Matrix) -> Vector:
        """Shape (rows,), computed in double precision."""
        total = np.zeros(len(features))
        rows = np.arange(len(features))
        for root in self.roots:
            node = np.full(len(features), root)
            while np.any(inner := self.feature[node] != LEAF):
                at = node[inner]
                goes_left = features[rows[inner], self.feature[at]] <= self.threshold[at]
                node[inner] = np.where(goes_left, self.left[at], self.right[at])
            total += self.value[node]
        return self.slope * total + self.offset

    def rescaled(self, slope: float, offset: float) -> "Trees":
        """The trees with margin `slope * margin + offset`."""
        return replace(self, slope=slope * self.slope, offset=slope * self.offset + offset)


def trees_of(model: GBTClassificationModel) -> Trees:
    """The trees of a Spark model, its weights multiplied into the leaves.

    Thresholds become float32, rounded down: no float32 feature lies between a double and the float32 below it, so every
    comparison comes out as in Spark.
    """
    nodes: list[tuple[int, float, int, int, float]] = []
    roots = [
        _append(tree._call_java("rootNode"), float(weight), nodes)
        for tree, weight in zip(model.trees, model.treeWeights, strict=True)
    ]
    feature, threshold, left, right, value = zip(*nodes, strict=True)
    return Trees(
        width=int(model.numFeatures),
        roots=np.array(roots),
        feature=np.array(feature),
        threshold=_rounded_down(np.array(threshold)),
        left=np.array(left),
        right=np.array(right),
        value=np.array(value),
    )


def _append(node: Any, weight: float, nodes: list[tuple[int, float, int, int, float]]) -> int:
    """Append a node of the JVM and all below it; returns its place."""
    place = len(nodes)
    if node.subtreeDepth() == 0:
        nodes.append((LEAF, 0.0, LEAF, LEAF, weight * node.prediction()))
        return place
    split = node.split()
    nodes.append((LEAF, 0.0, LEAF, LEAF, 0.0))
    left = _append(node.leftChild(), weight, nodes)
    right = _append(node.rightChild(), weight, nodes)
    nodes[place] = (split.featureIndex(), split.threshold(), left, right, 0.0)
    return place


def _rounded_down(values: Vector) -> npt.NDArray[np.float32]:
    single = values.astype(np.float32)
    return np.where(single > values, np.nextafter(single, np.float32(-np.inf)), single).astype(np.float32)
