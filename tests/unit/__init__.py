"""Fast tests of single parts: no sockets, no processes, no engine."""
