"""Looks at every instance every second or so, and remembers what it saw, so that rates and growth can be told."""
