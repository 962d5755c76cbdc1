"""One module per engine: the SQL of each catalogued statement, what it needs, and how a session is limited."""

from __future__ import annotations

from services.shard.mysql.dialects.base import Dialect
from services.shard.mysql.dialects.mariadb import MARIADB
from services.shard.mysql.dialects.mysql import MYSQL

__all__ = ["MARIADB", "MYSQL", "Dialect", "dialect_of"]


def dialect_of(version: str) -> Dialect:
    """The dialect of a server by the version that it greets with."""
    return MARIADB if "mariadb" in version.lower() else MYSQL
