"""Everlog for Python users: record batches, the formats of the archive, object stores."""
