"""The classes of fields, the plan that enforces them, tokens, and paths into answers."""
