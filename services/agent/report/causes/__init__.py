"""What to say and what to do about each root cause: one file per catalogue id, listed in `registry`.

A guide names further values worth citing, and turns cited values into the summary, the causal chain and the next steps.
It concludes nothing: whether the cause is there is the shard's detectors' word, checked by the verifier.
"""
