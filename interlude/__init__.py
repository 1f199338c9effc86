"""Interlude: low-latency ad decisions for music streaming."""
