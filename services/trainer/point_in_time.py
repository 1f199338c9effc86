"""The features of a listener as a decision would have them at some moment: by the very bytes and functions that serve."""

from collections.abc import Callable, Sequence
from operator import itemgetter

from interlude.features.codec import decode_hot, encode_hot
from interlude.features.moment_features import with_moment
from interlude.features.schema import FEATURE_NAMES, STATE_FEATURE_NAMES
from interlude.features.state import ListenerState
from interlude.features.vector import vector

FeaturesAt = Callable[[ListenerState, int, int], tuple[float, ...]]
"""From a state, a moment (epoch ms) and the hash of the campaign asked about to the values of some features."""


def stored_features(state: ListenerState, at_ms: int, campaign_hash: int) -> tuple[float, ...]:
    """Those of `schema.STATE_FEATURES`, which are the same at any moment and for any campaign."""
    del at_ms, campaign_hash
    return vector(state)


def all_features(state: ListenerState, at_ms: int, campaign_hash: int) -> tuple[float, ...]:
    """Those of `schema.FEATURES`."""
    asked = with_moment(decode_hot(encode_hot(state)), at_ms, campaign_hash)
    return tuple(memoryview(asked.vector).cast("f"))


def features_named(names: Sequence[str]) -> FeaturesAt:
    """The features of these names, in their order; raises `ValueError` for one that the schema does not have."""
    if tuple(names) == STATE_FEATURE_NAMES:
        return stored_features
    if unknown := [name for name in names if name not in FEATURE_NAMES]:
        raise ValueError(f"the schema has no {', '.join(unknown)}")
    places = [FEATURE_NAMES.index(name) for name in names]
    if len(places) == 1:
        return lambda *moment: (all_features(*moment)[places[0]],)
    pick = itemgetter(*places)
    return lambda *moment: pick(all_features(*moment))
