"""Every incident on every engine: what a shard says about each fault that can be made, against what is really there.

Every cell starts a server of its own, puts it to work, brings the fault about, and asks for the instance's health until
the answer is right: exactly the root causes that are there, with the entities that take part. What came of it is
written to `build/detection/`, one file a cell; `scripts/document_detection.py` makes `docs/reference/detection.md`
of those.
"""
