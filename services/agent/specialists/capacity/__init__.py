"""What runs out: counters, table sizes, disk, connections."""
