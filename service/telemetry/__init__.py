"""Metrics and logs: shells record, cores do not."""
