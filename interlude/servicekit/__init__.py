"""How a service runs: settings, logs, telemetry, lifecycle, Kafka and Redis. No word about ads."""
