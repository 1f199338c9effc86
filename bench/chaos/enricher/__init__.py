"""What becomes of listener states when enrichers, Redis and Kafka die, hang and come back: `make chaos ONLY=enricher`."""
