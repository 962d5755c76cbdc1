"""Specialists: a folder each, with `specialist.yaml` (prompt and tools), listed in `registry`. The lead leads.

The lead's prompt takes in the advice of the others; its tools are those of all of them together.
"""
