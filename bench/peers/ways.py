"""Three ways to read one listener's six features from Feast, each an async function of the customer id.

Runs in Feast's environment. All give a vector of shape (1, features), float32, in the order of `names`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import aiohttp
import numpy as np
from feast import FeatureStore

from bench.peers.feast_repository import JOIN_KEY, VIEW

Read = Callable[[int], Awaitable[np.ndarray]]
_PATH: Final = "/get-online-features"


def all_ways(store: FeatureStore, http: aiohttp.ClientSession, server: str, names: Sequence[str]) -> dict[str, Read]:
    """`sdk` and `async_sdk` read Redis from the caller's own process, `server` asks `feast serve` at `server` (host:port)."""
    references = [f"{VIEW}:{name}" for name in names]

    async def sdk(customer_id: int) -> np.ndarray:
        return _vector(store.get_online_features(references, [{JOIN_KEY: customer_id}]).to_dict(), names)

    async def async_sdk(customer_id: int) -> np.ndarray:
        response = await store.get_online_features_async(references, [{JOIN_KEY: customer_id}])
        return _vector(response.to_dict(), names)

    async def feature_server(customer_id: int) -> np.ndarray:
        body = {"features": references, "entities": {JOIN_KEY: [customer_id]}}
        async with http.post(f"http://{server}{_PATH}", json=body) as answer:
            answer.raise_for_status()
            document = await answer.json()
        columns = zip(document["metadata"]["feature_names"], document["results"], strict=True)
        return _vector({name: result["values"] for name, result in columns}, names)

    return {"sdk": sdk, "async_sdk": async_sdk, "server": feature_server}


def _vector(columns: Mapping[str, Any], names: Sequence[str]) -> np.ndarray:
    return np.array([[columns[name][0] for name in names]], np.float32)
