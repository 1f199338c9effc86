"""The main job in one command: simulated listeners or real logs, on real Kafka, Redis, Spark and an SMS operator.

`listeners` and `simulator` are pure: the ground truth, and the events that follow from it. `README.md` beside this file
explains both.
"""
