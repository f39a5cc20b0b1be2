"""The HTTP plane: a stateless process beside the brokers."""
