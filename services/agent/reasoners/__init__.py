"""Who decides what to read and what it comes to: `builtin`, deterministic, or a model, both through the same loop."""
