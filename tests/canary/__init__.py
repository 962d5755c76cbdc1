"""Marked values planted wherever a real engine can leak a literal from, and a search for them in all that comes out.

`markers.py` says what a canary looks like and finds it in any form; `plants.py`, `sessions.py` and `evidence.py` put
canaries into an engine and prove that they are there; `garden.py` runs the mesh over it; `requests.py` and
`commands.py` derive what is called from the descriptors and from the command itself, so that a new RPC, field or
command is covered as it comes.
"""
