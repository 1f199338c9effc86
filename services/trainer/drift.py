"""Whether a feature is spread as it was when the champion was trained: the population stability index. Pure.

    PSI = sum over bins of (now - then) * ln(now / then)

over the bins between the deciles of then (Siddiqi, Credit Risk Scorecards, 2006; its rule of thumb: below 0.1 no change, above
0.25 a great one). Values that fill more than one decile make one bin with as great a share.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

DECILES: Final = tuple(step / 10 for step in range(1, 10))
LEAST_SHARE: Final = 1e-4
"""A bin that is empty on one side counts as if it had this share: its logarithm exists."""

Values = npt.NDArray[np.float32]
Summary = dict[str, list[float]]
"""`edges`: upper ends of all bins but the last, ascending; `shares`: of each bin, one more than there are edges."""


def summarise(values: Values) -> Summary:
    """The bins of `values` (shape (rows,), at least one, finite) and their shares."""
    edges = np.unique(np.quantile(values.astype(np.float64), DECILES, method="inverted_cdf"))
    return {"edges": edges.tolist(), "shares": _shares(edges, values).tolist()}


def stability_index(then: Summary, values: Values) -> float:
    """The PSI of `values` (shape (rows,), at least one) against the summary of what there was then."""
    before = np.maximum(np.asarray(then["shares"], np.float64), LEAST_SHARE)
    now = np.maximum(_shares(np.asarray(then["edges"], np.float64), values), LEAST_SHARE)
    return float(np.sum((now - before) * np.log(now / before)))


def _shares(edges: npt.NDArray[np.float64], values: Values) -> npt.NDArray[np.float64]:
    bins = np.searchsorted(edges, values.astype(np.float64), side="left")
    return np.bincount(bins, minlength=len(edges) + 1) / len(values)
