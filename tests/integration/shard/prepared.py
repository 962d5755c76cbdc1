"""Statements prepared in binary, as drivers of other languages send them; pymysql has no such thing of its own."""

from __future__ import annotations

import struct

from pymysql.connections import Connection
from pymysql.cursors import Cursor

_PREPARE, _EXECUTE = 0x16, 0x17


class Prepared:
    """A statement without parameters that a session has prepared."""

    def __init__(self, connection: Connection[Cursor], statement: str) -> None:
        self._connection = connection
        connection._execute_command(_PREPARE, statement)  # type: ignore[attr-defined]
        answer = self._packet()
        self._number, columns, parameters = struct.unpack("<IHH", answer[1:9])
        for described in (parameters, columns):
            self._skip(described)

    def execute(self) -> None:
        """Run it, and take its rows."""
        self._connection._execute_command(_EXECUTE, struct.pack("<IBI", self._number, 0, 1))  # type: ignore[attr-defined]
        columns = self._packet()[0]
        self._skip(columns)
        if columns:
            while self._packet()[0] != 0xFE:
                pass

    def _skip(self, packets: int) -> None:
        """So many descriptions, and what ends them."""
        for _ in range(packets + 1 if packets else 0):
            self._packet()

    def _packet(self) -> bytes:
        packet = self._connection._read_packet()  # type: ignore[no-untyped-call]
        return bytes(packet.get_all_data())
