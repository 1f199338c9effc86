"""What a player team imports: `DecisionClient`."""

from interlude.client.decision_client import Decision, DecisionClient, Outcome

__all__ = ["Decision", "DecisionClient", "Outcome"]
