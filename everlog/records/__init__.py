"""Kafka record batches, magic 2: the same bytes on the wire, on disk and in the bucket."""
