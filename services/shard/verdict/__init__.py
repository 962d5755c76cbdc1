"""From findings to a verdict: which explains which, since when, how they rank, and which checks could not be made.

`health.py` is the entry: it collects, lets the detectors conclude, and puts the result through `relations.py`,
`trends.py` and `blindness.py`. `past_health.py` does the same for a time that is over, from what was recorded then.
"""
