"""A model as the reasoner: it chooses what to read and claims what it means; code owns all the rest.

What it is shown has no principals in clear and is fenced as data. What it claims is checked like any other claim; what
it writes in prose is kept only where its figures and names were recorded; commands are never its own.
"""
