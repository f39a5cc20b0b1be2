"""Values and ports that only the server needs."""
