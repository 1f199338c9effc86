"""Keeps every listener's features current: Kafka in, Redis out."""
