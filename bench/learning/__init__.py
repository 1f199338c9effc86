"""Whether learning can be trusted, against a world whose truth is known: `python -m bench.learning`."""
