"""Statements prepared in binary, as drivers of other languages send them; pymysql has no such thing of its own."""

from __future__ import annotations

import struct

from pymysql.connections import Connection
from pymysql.cursors import Cursor

_PREPARE, _EXECUTE, _CLOSE = 0x16, 0x17, 0x19
_INT64 = b"\x08\x00"


class Prepared:
    """A statement that a session has prepared, with numbers as parameters."""

    def __init__(self, connection: Connection[Cursor], statement: str) -> None:
        self._connection = connection
        connection._execute_command(_PREPARE, statement)  # type: ignore[attr-defined]
        answer = self._packet()
        self._number, columns, self._parameters = struct.unpack("<IHH", answer[1:9])
        for described in (self._parameters, columns):
            self._skip(described)

    def execute(self, *numbers: int) -> None:
        """Run it, and take its rows."""
        body = struct.pack("<IBI", self._number, 0, 1)
        if numbers:
            body += bytes((self._parameters + 7) // 8) + b"\x01" + _INT64 * self._parameters
            body += b"".join(struct.pack("<q", number) for number in numbers)
        self._connection._execute_command(_EXECUTE, body)  # type: ignore[attr-defined]
        columns = self._packet()[0]
        self._skip(columns)
        if columns:
            while self._packet()[0] != 0xFE:
                pass

    def close(self) -> None:
        """Give the handle back; the server does not answer to that."""
        self._connection._execute_command(_CLOSE, struct.pack("<I", self._number))  # type: ignore[attr-defined]

    def _skip(self, packets: int) -> None:
        """So many descriptions, and what ends them."""
        for _ in range(packets + 1 if packets else 0):
            self._packet()

    def _packet(self) -> bytes:
        packet = self._connection._read_packet()  # type: ignore[no-untyped-call]
        return bytes(packet.get_all_data())
