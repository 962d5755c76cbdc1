"""Specialists: a folder each, with `specialist.yaml`: prompt, tools, and which causes are its business. The lead leads.

The lead delegates each cause to the specialist whose business it is, reads side by side what they ask for, and merges
what they find. Its prompt takes in the advice of the others; its tools are those of all of them together.
"""
