"""A change that copies a table row by row and takes long, however few rows there are, as on a slow disk."""

from __future__ import annotations

import time
from contextlib import ExitStack

from libs.lab.injection import Target
from libs.lab.server import StatementUnderWay, gone_is_undone

COLUMN = "document_digest"
LASTS = 240.0
"""For about how long the copying goes on where nobody ends it, in seconds."""
_PIECE = "CRC32(SHA2(REPEAT({value}, {length}), 512))"
_LENGTH, _MOST_PIECES = 400_000, 200


def start_copying(target: Target, undo: ExitStack, table: str, program: str) -> StatementUnderWay:
    """Start to add a stored column whose value costs much; `undo` ends that, and drops the column if it came to be."""
    statement = f"ALTER TABLE `{table}` ADD COLUMN {COLUMN} BIGINT AS ({_costly_value(target, table)}) STORED"
    undo.callback(_drop_column, target, table)
    change = StatementUnderWay(
        target.administrator, f"{statement}, ALGORITHM=COPY", program=program, database=target.database
    )
    undo.callback(change.stop)
    change.start()
    return change


def _costly_value(target: Target, table: str) -> str:
    """An expression that takes this machine about so long that all rows together take `LASTS`."""
    rows = int(target.administrator.execute(f"SELECT COUNT(*) FROM `{target.database}`.`{table}`")[0][0])  # noqa: S608 - a constant
    began = time.perf_counter()
    target.administrator.execute(f"SELECT {_PIECE.format(value=123, length=_LENGTH)}")
    piece = max(time.perf_counter() - began, 1e-3)
    length = round(min(1.0, LASTS / max(rows, 1) / piece) * _LENGTH)
    pieces = min(_MOST_PIECES, max(1, round(LASTS / max(rows, 1) / piece)))
    return " + ".join(_PIECE.format(value="id", length=length + number) for number in range(pieces))


def _drop_column(target: Target, table: str) -> None:
    """The copying came to its end before somebody ended it."""
    with gone_is_undone(f"dropping {COLUMN} of {table}, which ends the incident, has failed"):
        found = target.administrator.execute(
            "SELECT 1 FROM information_schema.columns WHERE table_schema = %s AND table_name = %s AND column_name = %s",
            [target.database, table, COLUMN],
        )
        if found:
            target.administrator.execute(f"ALTER TABLE `{target.database}`.`{table}` DROP COLUMN {COLUMN}")
