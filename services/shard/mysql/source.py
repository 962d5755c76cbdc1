"""Where collectors read from: the result sets of catalogued statements, live now, recorded in a replay."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import pymysql

from libs.core.clock import Clock
from libs.core.errors import Reason, StorexError
from services.shard.mysql.connection import Connection, Row
from services.shard.mysql.errors import translate
from services.shard.mysql.executor import InstanceExecutor
from services.shard.mysql.features import DEPENDS_ON, GAPS, Capabilities, Feature, Gap
from services.shard.mysql.prepared import PreparedTotals
from services.shard.mysql.programs import with_what_they_ran
from services.shard.mysql.statements import KEPT_SECONDS, ROW_CAPS, Statement
from storex.common.v1 import entity_pb2

REDETECT_SECONDS = 60.0
"""How long detected capabilities hold: consumers and privileges change without a restart."""

_OF_DIGESTS = (Statement.DIGESTS, Statement.RECENT_DIGESTS)
COST_SHARE = 0.02
"""Largest share of time that a statement of `KEPT_SECONDS` may take: what is dear is kept for longer."""

_OF_ONE_STATEMENT = frozenset(
    {Reason.DATABASE_PRIVILEGE_MISSING, Reason.DATABASE_UNSUPPORTED, Reason.DATABASE_TIMEOUT, Reason.DATABASE_ERROR}
)
"""Errors that leave the session usable and the other statements worth trying."""


class ResultSets:
    """What some statements returned, and why others did not."""

    def __init__(
        self, capabilities: Capabilities, rows: Mapping[Statement, list[Row]], missing: Mapping[Statement, Gap]
    ) -> None:
        self.capabilities = capabilities
        self._rows = rows
        self._missing = missing

    @classmethod
    def together(cls, parts: Sequence[ResultSets], statements: Iterable[Statement]) -> ResultSets:
        """Of several readings, at least one, what belongs to these statements."""
        rows = {found: part._rows[found] for part in parts for found in statements if found in part._rows}
        missing = {found: part._missing[found] for part in parts for found in statements if found in part._missing}
        return cls(parts[0].capabilities, rows, missing)

    def rows(self, statement: Statement) -> list[Row]:
        """The statement's rows; none where it could not be read."""
        return self._rows.get(statement, [])

    def has(self, statement: Statement) -> bool:
        """Whether the statement was read."""
        return statement in self._rows

    def gap(self, *statements: Statement) -> Gap | None:
        """Why the first of these that could not be read was not."""
        return next((self._missing[statement] for statement in statements if statement in self._missing), None)

    def limits(self) -> list[entity_pb2.Limit]:
        """What could not be read, or not to the end, each reason once."""
        cut = [
            _cut_off(statement)
            for statement, rows in self._rows.items()
            if len(rows) >= ROW_CAPS.get(statement, sys.maxsize)
        ]
        return [gap.limit() for gap in dict.fromkeys([*self._missing.values(), *cut])]


def _cut_off(statement: Statement) -> Gap:
    message = f"There is more in {statement.value} than the {ROW_CAPS[statement]} rows that are read at most."
    return Gap(statement.value, "TRUNCATED", message, "")


class Source(Protocol):
    """Answers catalogued statements."""

    @property
    def capabilities(self) -> Capabilities | None:
        """What the server offers; None until it has answered once."""

    async def read(self, *statements: Statement) -> ResultSets:
        """The result sets of the statements, read one right after the other in one session.

        A statement that this server or account does not offer is a gap in the answer. Raises StorexError where the
        server does not answer at all.
        """

    async def read_anew(self, *statements: Statement) -> ResultSets:
        """The same in a new session, after another look at what the server offers, and with nothing that was kept."""


class LiveSource:
    """A server, through its executor."""

    def __init__(self, executor: InstanceExecutor, clock: Clock) -> None:
        self._executor = executor
        self._clock = clock
        self._detected: Capabilities | None = None
        self._detected_at = 0.0
        self._kept: dict[Statement, tuple[float, list[Row]]] = {}
        self._prepared = PreparedTotals()

    @property
    def capabilities(self) -> Capabilities | None:
        """What the server offered when it last answered."""
        return self._detected

    async def read(self, *statements: Statement) -> ResultSets:
        """See `Source.read`."""
        return await self._executor.run(lambda connection: self._read(connection, statements))

    async def read_anew(self, *statements: Statement) -> ResultSets:
        """See `Source.read_anew`."""

        self._executor.renew()

        def read(connection: Connection) -> ResultSets:
            self._detected = None
            for statement in statements:
                self._kept.pop(statement, None)
            return self._read(connection, statements)

        return await self._executor.run(read)

    def _read(self, connection: Connection, statements: tuple[Statement, ...]) -> ResultSets:
        capabilities = self._capabilities_of(connection)
        rows: dict[Statement, list[Row]] = {}
        missing: dict[Statement, Gap] = {}
        for statement in statements:
            answer = self._read_or_kept(connection, statement, capabilities)
            if isinstance(answer, Gap):
                missing[statement] = answer
            else:
                rows[statement] = answer
        return ResultSets(capabilities, rows, missing)

    def _read_or_kept(
        self, connection: Connection, statement: Statement, capabilities: Capabilities
    ) -> list[Row] | Gap:
        if statement not in KEPT_SECONDS:
            return self._read_now(connection, statement, capabilities)
        began = self._clock.monotonic()
        until, rows = self._kept.get(statement, (0.0, []))
        if began < until:
            return rows
        answer = self._read_now(connection, statement, capabilities)
        if not isinstance(answer, Gap):
            now = self._clock.monotonic()
            self._kept[statement] = (now + max(KEPT_SECONDS[statement], (now - began) / COST_SHARE), answer)
        return answer

    def _read_now(self, connection: Connection, statement: Statement, capabilities: Capabilities) -> list[Row] | Gap:
        answer = _read_one(connection, statement, capabilities)
        if isinstance(answer, Gap) or statement not in _OF_DIGESTS:
            return answer
        return self._prepared.in_place_of_handles(with_what_they_ran(answer))

    def _capabilities_of(self, connection: Connection) -> Capabilities:
        now = self._clock.monotonic()
        fresh = now - self._detected_at < REDETECT_SECONDS and self._detected is not None
        if fresh and self._detected is not None and self._detected.version == _version(connection):
            return self._detected
        self._detected = detect(connection)
        self._detected_at = now
        return self._detected


def _version(connection: Connection) -> str:
    # Servers of the 10 series greet with "5.5.5-" before their version, for the sake of old replicas.
    return connection.version.removeprefix("5.5.5-")


def detect(connection: Connection) -> Capabilities:
    """Ask the server for each feature."""
    bare = Capabilities(connection.dialect.engine, _version(connection), frozenset())
    available = frozenset(feature for feature in Feature if _offers(connection, feature, bare))
    return Capabilities(bare.engine, bare.version, available)


def _offers(connection: Connection, feature: Feature, bare: Capabilities) -> bool:
    probe = connection.dialect.probe(feature, bare)
    try:
        rows = connection.rows(probe)
    except pymysql.MySQLError as error:
        if translate(error).reason in (Reason.DATABASE_PRIVILEGE_MISSING, Reason.DATABASE_UNSUPPORTED):
            return False
        raise
    return bool(rows) or not probe.startswith("SELECT")


def _read_one(connection: Connection, statement: Statement, capabilities: Capabilities) -> list[Row] | Gap:
    for feature in connection.dialect.needs(statement):
        lacking = capabilities.missing(feature)
        if lacking is not None:
            return GAPS[lacking]
    try:
        return connection.rows(connection.dialect.sql(statement, capabilities))
    except pymysql.MySQLError as error:
        failure = translate(error, feature=statement.value)
        if failure.reason not in _OF_ONE_STATEMENT:
            raise
        return _gap_of(statement, failure, connection.dialect.needs(statement))


def _gap_of(statement: Statement, failure: StorexError, needs: Iterable[Feature]) -> Gap:
    if failure.reason is Reason.DATABASE_PRIVILEGE_MISSING:
        # It was there when features were last detected: revoked since.
        needed = [feature for need in needs for feature in (*DEPENDS_ON.get(need, ()), need)]
        named = next((GAPS[feature] for feature in needed if GAPS[feature].code == "PRIVILEGE_MISSING"), None)
        if named is not None:
            return named
        return Gap(
            statement.value,
            "PRIVILEGE_MISSING",
            f"Storex's database account may not read {statement.value}.",
            "Give it the GRANTs that the README lists.",
        )
    return Gap(
        statement.value,
        failure.reason.name,
        f"{statement.value} could not be read: {failure.public_message}",
        "Try again." if failure.reason is Reason.DATABASE_TIMEOUT else "",
    )
