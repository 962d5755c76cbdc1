"""Auto-increment columns against the largest number of their type."""

from __future__ import annotations

import re

from libs.core.paging import page_of
from services.shard.mysql.connection import Row
from services.shard.mysql.statements import Statement
from services.shard.view import InstanceView, text
from services.shard.work.write_work import Writes, write_work
from storex.diagnostics.v1 import capacity_pb2

_TYPE = re.compile(r"(tinyint|smallint|mediumint|int|bigint|float|double)\b", re.IGNORECASE)
_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}


async def list_auto_increments(
    view: InstanceView, request: capacity_pb2.ListAutoIncrementsRequest
) -> capacity_pb2.ListAutoIncrementsResponse:
    """Read the columns with their next numbers, and count the inserts on their tables."""
    began = view.clock.now()
    results = await view.source.read(Statement.AUTO_INCREMENTS)
    writes = write_work(view)
    found = [column for row in results.rows(Statement.AUTO_INCREMENTS) if (column := _column(row, writes)) is not None]
    found.sort(key=lambda column: (-column.used_ratio, column.table))
    page, token = page_of(found, request.page_size, request.page_token, default=100, largest=1000)
    return capacity_pb2.ListAutoIncrementsResponse(
        observation=view.observation(began, results),
        columns=page,
        next_page_token=token,
        window_seconds=writes.seconds,
    )


def largest_number(column_type: str) -> int | None:
    """The largest number of an integer type as the engine prints it; None for other types."""
    found = _TYPE.match(column_type)
    bits = None if found is None else _BITS.get(found[1].lower())
    if bits is None:
        return None
    return int(2 ** (bits if "unsigned" in column_type.lower() else bits - 1)) - 1


def _column(row: Row, writes: Writes) -> capacity_pb2.AutoIncrement | None:
    column_type = text(row["column_type"])
    largest = largest_number(column_type)
    following = int(text(row["next_number"]) or 0) if text(row["next_number"]).isdigit() else 0
    if largest is None or following <= 0:
        return None
    following = min(following, 2**64 - 1)
    table = f"{text(row['schema_name'])}.{text(row['table_name'])}"
    inserts, failed = writes.on(table)
    return capacity_pb2.AutoIncrement(
        table=table,
        column=text(row["column_name"]),
        data_type=column_type,
        largest=largest,
        next=following,
        remaining=max(0, largest - following + 1),
        used_ratio=round(min(1.0, (following - 1) / largest), 6),
        inserts=inserts,
        failed_inserts=failed,
    )
