"""The archive as bytes: object keys, segment objects, manifest roots and pages, the pointer."""
