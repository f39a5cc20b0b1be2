"""The Kafka wire protocol without sockets: bytes in, values out, and back."""
