"""Trees as numbers and as the file that serves: the same comparisons, to the last bit of a threshold."""

import numpy as np
import pytest

from interlude.models.graph import check_graph
from services.trainer.export import to_model_file
from services.trainer.linear import sigmoid
from services.trainer.parity import EDGE_VALUES, onnx_probabilities, plain_probabilities
from services.trainer.trees import LEAF, Trees


def some_trees() -> Trees:
    """A stump on the second feature and a tree of depth two, behind one another."""
    return Trees(
        width=6,
        roots=np.array([0, 3]),
        feature=np.array([1, LEAF, LEAF, 0, LEAF, 4, LEAF, LEAF]),
        threshold=np.array([0.3, 0, 0, 0.5, 0, 0.25, 0, 0], np.float32),
        left=np.array([1, LEAF, LEAF, 4, LEAF, 6, LEAF, LEAF]),
        right=np.array([2, LEAF, LEAF, 5, LEAF, 7, LEAF, LEAF]),
        value=np.array([0, -0.4, 0.7, 0, 0.1, 0, -0.2, 0.9]),
    )


def test_margins_by_hand() -> None:
    features = np.zeros((3, 6), np.float32)
    features[1] = (0.9, 0.31, 0, 0, 0.25, 0)
    features[2] = (0.9, 0.31, 0, 0, 0.26, 0)
    np.testing.assert_allclose(some_trees().margins(features), [2 * (-0.4 + 0.1), 2 * (0.7 - 0.2), 2 * (0.7 + 0.9)])
    rescaled = some_trees().rescaled(3.0, 0.5)
    np.testing.assert_allclose(rescaled.margins(features), 3 * some_trees().margins(features) + 0.5)


def test_the_file_answers_as_the_numbers_do_on_thresholds_and_edges() -> None:
    trees = some_trees().rescaled(1.7, -0.3)
    generator = np.random.default_rng(1)
    features = generator.choice(np.array([0.25, 0.3, 0.5, 0.1, 0.7], np.float32), (500, 6))
    features = np.vstack([features, np.repeat(np.array(EDGE_VALUES, np.float32)[:, None], 6, axis=1)])
    file = to_model_file(trees)
    check_graph(file)
    np.testing.assert_allclose(onnx_probabilities(file, features), sigmoid(trees.margins(features)), atol=1e-6)
    np.testing.assert_array_equal(plain_probabilities(trees, features), sigmoid(trees.margins(features)))


def test_numbers_that_are_none_are_seen() -> None:
    assert some_trees().is_finite
    assert not some_trees().rescaled(float("nan"), 0.0).is_finite


def test_what_nothing_can_write_is_refused() -> None:
    with pytest.raises(TypeError, match="no export for int"):
        to_model_file(3)  # type: ignore[arg-type]
