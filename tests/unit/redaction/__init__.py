"""The scrubbers of SQL and of what people type."""
