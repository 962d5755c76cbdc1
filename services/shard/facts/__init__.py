"""What several collectors make of the same result sets: sessions, transactions, lock waits, growth, variables.

Each file is one such step between the rows of a catalogued statement and a typed answer, so that two collectors that
speak of a session, a transaction or a variable say the same of it.
"""
