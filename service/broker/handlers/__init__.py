"""One Kafka API a file: from request message to response message."""
