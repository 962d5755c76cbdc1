"""One shard per region: reads its databases through bounded read-only sessions and says what is wrong with them.

`app.py` wires the parts. `mysql/` talks to the servers and is the only place that knows their differences;
`collectors/` turn catalogued result sets into typed answers; `sampler/` remembers what those looked like;
`detectors/` conclude from both; `health.py` ranks the conclusions. Nothing leaves without passing `egress/`.
"""
