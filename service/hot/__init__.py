"""The hot tier: one partition's local log, and the data directory that holds them all."""
