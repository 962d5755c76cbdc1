"""The front door: authenticates, authorises, relays to shards and the agent, fans wildcards out. Has no disk.

Region-scoped calls pass as bytes: of a request only its name is read, of an answer nothing. A new diagnostic RPC
therefore needs no code here, only the new descriptors.
"""
