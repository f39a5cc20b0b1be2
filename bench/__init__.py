"""Everlog and Apache Kafka side by side: same machine, same client, one after the other."""
