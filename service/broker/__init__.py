"""What each Kafka API means: one handler a file, and the table that finds it."""
