"""Where hot and cold meet: one partition as its clients see it."""
