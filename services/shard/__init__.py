"""One shard per region: reads its databases through bounded read-only sessions and says what is wrong with them.

`app.py` wires the parts. `mysql/` talks to the servers and is the only place that knows their differences;
`collectors/` turn catalogued result sets into typed answers, with what they share in `facts/` and `work/`; `sampler/`
remembers what those looked like, `stores/` keep it and `history/` tells it; `detectors/` conclude from all of it, and
`verdict/` relates and ranks the conclusions; `watch/` keeps the verdict up to date; `sight/` says what cannot be seen
here; `worlds/` captures and replays all of it. Nothing leaves without passing `egress/`.
"""
