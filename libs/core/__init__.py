"""The vocabulary of Storex: resource names, the error catalogue, the root-cause catalogue, clock and ids.

Pure Python: nothing in here knows of gRPC, a database driver, Casbin or a model.
"""
