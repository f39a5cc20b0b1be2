"""The Everlog server. Nothing outside this repository imports it."""
