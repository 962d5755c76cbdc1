"""The demonstration: a fleet of real databases with a mesh over it, an incident, a question, and a checked answer.

The `stage` is a process of its own that holds the databases and the mesh, and takes both down when whoever started it
is gone. `storex demo` directs it; with `--keep` it goes and leaves the stage standing until `storex down`.
"""
