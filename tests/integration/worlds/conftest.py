"""The servers of the shard's tests."""

from tests.integration.shard.conftest import engine

__all__ = ["engine"]
