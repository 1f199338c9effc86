"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# Examples are drawn from a fixed seed and have no time limit: a test says the same on a busy machine and on an idle one.
settings.register_profile(
    "interlude", derandomize=True, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("interlude")
