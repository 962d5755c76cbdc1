"""Snapshots as worlds: an instance and its replicas at one moment, recorded, sealed, and asked again like a live one.

`capture` reads a world, `encoding` writes it down, `sealing` encrypts it under a key of its own that `keys` wraps,
`store` keeps the files, and `replay` puts a recorded instance in the place of a live one.
"""
