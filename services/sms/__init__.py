"""Sends an offer at most once, only where it may: requests in, text messages and their life's events out."""
