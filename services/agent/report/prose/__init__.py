"""Whether what a model wrote in prose says only what was recorded: figures with their units, names, directions, parts.

Every check errs towards not believing: what is struck is written by code instead, from the verified claims.
"""
