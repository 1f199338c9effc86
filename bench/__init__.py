"""Measurements, not tests: `make bench`. Every ratio is taken side by side in one run."""
