"""The lead: reads health, asks for what the specialists know, and hands in the one report."""
