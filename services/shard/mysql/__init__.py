"""The database servers: sessions with every limit set, an executor per instance, and the differences of the engines.

Nothing else in the shard knows a driver, an SQL statement or which engine it talks to. Collectors ask a `Source` for
the result sets of catalogued statements; each dialect answers with the same columns.
"""
