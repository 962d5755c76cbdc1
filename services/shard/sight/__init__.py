"""What an instance does not show: each blind spot with what it costs in sight, and what mends it on that server."""
