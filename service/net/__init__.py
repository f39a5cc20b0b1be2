"""Sockets: bytes in, frames out, responses back in order."""
