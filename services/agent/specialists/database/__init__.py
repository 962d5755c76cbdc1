"""The database engine: locks, transactions, statements, connections, InnoDB."""
