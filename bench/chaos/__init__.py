"""What becomes of answers when things break, on real parts, with both fronts: `make chaos`."""
