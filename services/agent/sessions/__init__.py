"""Conversations: questions, reports, and what the tools returned, kept so that follow-ups need not ask again.

A session belongs to its owner; to everybody else it does not exist. No token is ever stored. The embedded store is
SQLite in the state directory.
"""
