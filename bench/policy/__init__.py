"""`make bench-policy`: whether what is decided holds: caps, budgets, replays, explanations, shares, and what it costs."""
