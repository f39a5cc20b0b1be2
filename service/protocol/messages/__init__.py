"""The messages, one API a file, each declared once for all its versions."""
