"""Scrubbers: SQL without its literals, and what people type without what looks like customer data.

They are one-pass, linear in the size of their input, and fail closed: where a text can be read in two ways, what
follows is dropped.
"""
