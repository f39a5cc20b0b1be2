"""The command `everlog`, one noun a file."""
