"""The step that everything passes before it leaves the region, outside of every handler.

`interceptor.py` stands around the handlers and lets nothing out but what `step.py` has filtered by the field classes of
the protos, with the clearance that `rules.py` (the region's egress file) and policy both give. `failures.py` does the
same for errors. A handler cannot speak to the caller in any other way.
"""
