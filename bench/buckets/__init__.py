"""An S3 server to measure against, what it is asked for, and how fast it can be read."""
