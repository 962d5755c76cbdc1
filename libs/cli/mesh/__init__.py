"""A whole mesh as processes of one machine: planned, started together, kept running, and stopped without a trace.

The supervisor owns the processes. Each lives on a lifeline, a pipe that it notices the end of, so that nothing outlives
a supervisor that was killed. What runs where is written to `mesh.json` in the state directory; whether it still runs is
told by a lock on that directory, never by a process id that may have been given to somebody else.
"""
