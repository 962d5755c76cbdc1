"""One file per diagnostic: each reads catalogued statements from a source and makes one typed answer of them.

A collector is a function `(view, request) -> response`. It knows no engine, no driver and no caller; it names what it
could not read in the observation's limits. To add one, write its file and its line in `registry.py`.
"""
