"""The cold tier: sealed segments move to the object store and are read from there."""
