"""Whom we may contact, and how often: campaigns, frequency caps, and the ledger that both channels share."""
