"""Tables that can hold only so much: those in memory, and those with row pointers of a fixed width."""

from __future__ import annotations

from libs.core.paging import page_of
from services.shard.mysql.connection import Row
from services.shard.mysql.statements import Statement
from services.shard.view import InstanceView, text, whole
from services.shard.work.write_work import Writes, write_work
from storex.diagnostics.v1 import capacity_pb2


async def list_table_limits(
    view: InstanceView, request: capacity_pb2.ListTableLimitsRequest
) -> capacity_pb2.ListTableLimitsResponse:
    """Read sizes and limits, and count the inserts on these tables."""
    began = view.clock.now()
    results = await view.source.read(Statement.TABLE_LIMITS)
    writes = write_work(view)
    found = sorted(
        (_table(row, writes) for row in results.rows(Statement.TABLE_LIMITS)),
        key=lambda table: (-table.used_ratio, table.table),
    )
    page, token = page_of(found, request.page_size, request.page_token, default=100, largest=1000)
    return capacity_pb2.ListTableLimitsResponse(
        observation=view.observation(began, results), tables=page, next_page_token=token, window_seconds=writes.seconds
    )


def _table(row: Row, writes: Writes) -> capacity_pb2.TableLimit:
    data, limit = whole(row["data_bytes"]), whole(row["limit_bytes"])
    table = f"{text(row['schema_name'])}.{text(row['table_name'])}"
    inserts, failed = writes.on(table)
    return capacity_pb2.TableLimit(
        table=table,
        engine=text(row["engine"]),
        rows=whole(row["table_rows"]),
        data_bytes=data,
        limit_bytes=limit,
        used_ratio=round(data / limit, 4) if limit else 0.0,
        full=0 < limit <= data,
        inserts=inserts,
        failed_inserts=failed,
    )
