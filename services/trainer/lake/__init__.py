"""The lake: listens, ad events, decisions and profiles from Kafka as Parquet by day, compacted, each event once."""
