"""The model: trained with Spark from the log, gated, published, promoted, rolled back; and who is texted because of it."""
