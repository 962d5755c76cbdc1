"""A recorded server: catalogued result sets as they were noted down, in place of a live one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from libs.core.errors import StorexError
from libs.core.names import ResourceName
from services.shard.mysql.connection import Row
from services.shard.mysql.dialects import MARIADB, Dialect
from services.shard.mysql.features import GAPS, Capabilities, Feature, Gap
from services.shard.mysql.source import ResultSets
from services.shard.mysql.statements import Statement
from services.shard.sampler.history import History
from services.shard.view import InstanceView
from services.shard.work.statement_texts import StatementTexts
from tests.clock import ManualClock

ALL = frozenset(Feature)
VERSION = "10.11.6-MariaDB"


class RecordedSource:
    """Answers from a recording; what the given features do not allow is a gap, as it is on a live server."""

    def __init__(
        self,
        rows: Mapping[Statement, list[Row]],
        *,
        available: frozenset[Feature] = ALL,
        failure: StorexError | None = None,
        dialect: Dialect = MARIADB,
    ) -> None:
        self.rows = dict(rows)
        self.failure = failure
        self._dialect = dialect
        self.capabilities = Capabilities(dialect.engine, VERSION, available)

    async def read(self, *statements: Statement) -> ResultSets:
        if self.failure is not None:
            raise self.failure
        missing: dict[Statement, Gap] = {}
        for statement in statements:
            lacking = (self.capabilities.missing(feature) for feature in self._dialect.needs(statement))
            gap = next((GAPS[feature] for feature in lacking if feature is not None), None)
            if gap is not None:
                missing[statement] = gap
        return ResultSets(
            self.capabilities, {name: self.rows.get(name, []) for name in statements if name not in missing}, missing
        )

    async def read_anew(self, *statements: Statement) -> ResultSets:
        return await self.read(*statements)


def view_of(source: RecordedSource, clock: ManualClock | None = None, history: History | None = None) -> InstanceView:
    return InstanceView(
        ResourceName("eu-west-1", "orders-1"), source, history or History(), StatementTexts(), clock or ManualClock()
    )


def process(connection_id: int, **changes: Any) -> Row:
    return {
        "connection_id": connection_id,
        "user": "orders_app",
        "host": "10.0.0.7:41234",
        "schema_name": "orders",
        "command": "Sleep",
        "state": "",
        "seconds": 3.25,
        "info": None,
        "rows_examined": None,
        **changes,
    }


def transaction(transaction_id: str, connection_id: int, **changes: Any) -> Row:
    return {
        "transaction_id": transaction_id,
        "state": "RUNNING",
        "age_seconds": 9.5,
        "wait_seconds": None,
        "connection_id": connection_id,
        "rows_locked": 3,
        "rows_modified": 2,
        "tables_locked": 1,
        "isolation_level": "REPEATABLE READ",
        **changes,
    }


def digest(name: str, calls: int, **changes: Any) -> Row:
    return {
        "schema_name": "orders",
        "digest": name,
        "digest_text": "SELECT * FROM `lines` WHERE `sku` = ? ",
        "calls": calls,
        "total_picoseconds": calls * 2 * 10**10,
        "lock_picoseconds": 0,
        "errors": 0,
        "rows_affected": 0,
        "rows_sent": calls,
        "rows_examined": calls * 50_000,
        "temp_disk_tables": 0,
        "no_index_used": calls,
        "temp_tables": 0,
        "sort_merge_passes": 0,
        "full_joins": 0,
        "full_scans": calls,
        **changes,
    }
