"""One file per root cause: a pure function over collected answers and the sampled window that concludes, or does not.

A detector explains one instance. It cites each value that it stands on, names entities by the roles of the root-cause
catalogue, and says in a sentence why it is clear where it is. To add one, write its file and its line in
`registry.py`.
"""
