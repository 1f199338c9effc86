"""What holds for all tests."""

import os

from hypothesis import HealthCheck, settings

# Examples are drawn from a fixed seed and have no time limit: a test says the same on a busy machine and on an idle one.
settings.register_profile(
    "interlude", derandomize=True, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
# Other examples each time, a hundred times as many: `make test-exhaustive`.
settings.register_profile(
    "exhaustive", settings.get_profile("interlude"), derandomize=False, database=None, max_examples=10_000
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "interlude"))
