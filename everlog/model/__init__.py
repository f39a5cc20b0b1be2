"""What everything else is made of: ids, offsets, errors, and the ports of time and chance."""
