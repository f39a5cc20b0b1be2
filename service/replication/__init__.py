"""Replication of one partition: who is in sync, what is committed, where logs part. Sans I/O."""
