"""The users' journeys through the whole mesh."""
