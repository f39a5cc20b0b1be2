"""Bytes, whatever holds them."""

Buffer = bytes | bytearray | memoryview
