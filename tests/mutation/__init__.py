"""Takes rules out of the code, one by one, and sees their tests fail."""
