"""Who may see what, over a live mesh: real processes, real channels, real databases."""
