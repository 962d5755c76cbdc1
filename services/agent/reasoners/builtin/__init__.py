"""The deterministic reasoner: it reads the shards' findings, confirms each by its own reading, and concludes.

The detectors explain within an instance; this only asks, combines across instances, and answers. Follow-up questions
are answered from what the session has recorded, where that is still good.
"""
