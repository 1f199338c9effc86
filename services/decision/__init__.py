"""Answers "show the upgrade offer now?" over gRPC."""
