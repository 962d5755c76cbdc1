"""What the agent can read: one function a file, listed in `registry`.

A tool is an ordinary async function. Its first parameter is the `Reach`; the others, with their types, become the JSON
schema, and the docstring becomes the description: what it shows, when to use it, what it costs, then a line for each
argument. It returns one protobuf message, or a list of them for a stream. No tool writes.
"""
