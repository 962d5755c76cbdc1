"""What statements and clients did, out of samples of the engine's counters: windows, rates, and when they changed.

Nearly all of it is pure functions over samples that the sampler keeps. `digest_window.py` is the one place that turns
cumulative counters into what happened between two readings; `statement_texts.py` gives statements a digest and takes
their literals away; `system_statements.py` tells the application's work from the engine's own and from Storex's.
"""
