"""What clients send: who, how much, since when, and what was deployed before it began."""
