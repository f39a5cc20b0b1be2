"""Object stores: one port, its adapters, and the URL that picks one."""
