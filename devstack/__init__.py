"""Real Kafka, Redis and SMS operator as child processes of one Python process, for demo, tests and bench.

Nothing is imported here: `devstack.bootstrap` has to run before any package is installed.
"""
