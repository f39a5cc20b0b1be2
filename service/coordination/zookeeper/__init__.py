"""The metadata tree on ZooKeeper, through kazoo (ADR 19)."""
