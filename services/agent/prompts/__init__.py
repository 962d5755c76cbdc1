"""Prompts: versioned text files, `{prompt}/{version}.md`, each declaring its variables in its first line.

A prompt is named `lead@1`. A changed text is a new version: what was measured with an old one stays what it was.
"""
