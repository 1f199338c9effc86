"""What a player team imports: `DecisionClient`, or `AsyncDecisionClient` on asyncio."""

from interlude.client.answers import Decision, Device, Outcome
from interlude.client.async_decision_client import AsyncDecisionClient
from interlude.client.connection import CHANNEL_OPTIONS, SERVICE_CONFIG
from interlude.client.decision_client import DecisionClient
from interlude.client.hedging import Hedging
from interlude.client.observing import CallObserver

__all__ = [
    "CHANNEL_OPTIONS",
    "SERVICE_CONFIG",
    "AsyncDecisionClient",
    "CallObserver",
    "Decision",
    "DecisionClient",
    "Device",
    "Hedging",
    "Outcome",
]
