"""The transfer process: moves bytes between files and the object store, off the event loop."""
