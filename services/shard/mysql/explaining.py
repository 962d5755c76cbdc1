"""Has the engine explain one statement: its own example of a digest, or one that was seen running; SELECTs only.

EXPLAIN makes a plan and carries nothing out; ANALYZE would. A plan needs metadata locks: behind DDL it gives up after
the session's `lock_wait_timeout`, and the whole is bounded by `SECONDS`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pymysql

from libs.core.errors import Reason, StorexError
from libs.redaction.sql import normalise
from services.shard.mysql.connection import Connection, Row
from services.shard.mysql.errors import translate
from services.shard.mysql.executor import InstanceExecutor
from services.shard.work.seen_texts import SeenText, SeenTexts
from storex.diagnostics.v1.plans_pb2 import PLAN_TEXT_HISTORY, PLAN_TEXT_RUNNING, PLAN_TEXT_SAMPLE, PlanText

SECONDS = 4.0
"""For how long explaining may take, the search for the text included."""

_SAMPLE = (
    "SELECT schema_name AS schema_name, query_sample_text AS sql_text"
    " FROM performance_schema.events_statements_summary_by_digest"
    " WHERE digest = %s AND query_sample_text IS NOT NULL ORDER BY last_seen DESC LIMIT 1"
)
_HISTORY = (
    "SELECT current_schema AS schema_name, sql_text AS sql_text"
    " FROM performance_schema.events_statements_history WHERE digest = %s AND sql_text IS NOT NULL LIMIT 1"
)
_CUT = "SELECT @@performance_schema_max_sql_text_length AS bytes"
_DIGEST = re.compile(r"[0-9a-fA-F]{32,128}")

_SELECTS = re.compile(r"[( ]*(?:SELECT|WITH)\b", re.ASCII)
_NOT_ONLY_READING = re.compile(
    r"\b(?:INTO|INSERT|DELETE|UPDATE|CALL|PROCEDURE)\b|\bFOR SHARE\b|\bLOCK IN SHARE MODE\b|\bREPLACE\b(?!\s*\()|;",
    re.ASCII | re.IGNORECASE,
)
_NAMES = re.compile(r"`[^`]*`")

_NO_SELECT = frozenset({1044, 1049, 1142, 1143, 1345, 1356, 1370})
_BLOCKED = frozenset({1205, 1317, 1969, 3024})
_GONE = frozenset({1054, 1064, 1109, 1146, 1305})

NOT_A_SELECT = "it is not a plain SELECT"
UNCLEAR = "it was cut off, or holds what cannot be read for certain, such as an escaped quote or a comment that runs"
NO_SELECT = "Storex's database account may not read its tables; GRANT SELECT on their schema, or let it be"
BLOCKED = "one of its tables is locked, as by a change of its definition; see the lock waits"
GONE = "the engine no longer understands it: a table or column may be gone, or its text was cut off"


@dataclass(frozen=True, slots=True)
class Plan:
    """The rows that EXPLAIN gave, and what was explained."""

    schema: str
    text: PlanText.ValueType
    rows: list[Row]


class Explainer:
    """Explains statements of one instance."""

    def __init__(self, executor: InstanceExecutor, seen: SeenTexts) -> None:
        self._executor = executor
        self._seen = seen

    @property
    def allowed(self) -> bool:
        """Whether statements of the instance may be explained."""
        return self._seen.allowed()

    async def explain(self, digest: str) -> Plan:
        """The plan of the digest's statement.

        Raises StorexError: EXPLAIN_NOT_ALLOWED, STATEMENT_UNKNOWN where no text is known, STATEMENT_NOT_EXPLAINED with
        the reason, or what the driver's error translates to.
        """
        if not self.allowed:
            raise StorexError(Reason.EXPLAIN_NOT_ALLOWED)
        running = self._seen.get(digest)
        return await self._executor.run(lambda connection: _explain(connection, digest, running), seconds=SECONDS)


def _explain(connection: Connection, digest: str, running: SeenText | None) -> Plan:
    text, found = _find(connection, digest, running)
    check_explainable(found.sql)
    try:
        rows = connection.explain(found.schema, found.sql)
    except pymysql.MySQLError as error:
        problem = _problem(error)
        if problem is None:
            raise
        raise StorexError(Reason.STATEMENT_NOT_EXPLAINED, detail=str(translate(error)), problem=problem) from None
    return Plan(found.schema, text, rows)


def _find(connection: Connection, digest: str, running: SeenText | None) -> tuple[PlanText.ValueType, SeenText]:
    if _DIGEST.fullmatch(digest):
        for text, statement in ((PLAN_TEXT_SAMPLE, _SAMPLE), (PLAN_TEXT_HISTORY, _HISTORY)):
            found = _recorded(connection, statement, digest)
            if found is not None:
                return text, found
    if running is None:
        raise StorexError(Reason.STATEMENT_UNKNOWN)
    return PLAN_TEXT_RUNNING, running


def _recorded(connection: Connection, statement: str, digest: str) -> SeenText | None:
    """What the engine keeps of the digest, whole; None where it keeps nothing, or cannot tell this account."""
    try:
        for row in connection.rows(statement, (digest,)):
            sql, schema = str(row["sql_text"]), str(row["schema_name"] or "")
            longest = next((int(one["bytes"]) for one in connection.rows(_CUT)), 0)
            if len(sql.encode()) < longest:
                return SeenText(schema, sql)
    except pymysql.MySQLError as error:
        if translate(error).reason not in (Reason.DATABASE_UNSUPPORTED, Reason.DATABASE_PRIVILEGE_MISSING):
            raise
    return None


def check_explainable(sql: str) -> None:
    """Raise StorexError STATEMENT_NOT_EXPLAINED unless the text is, for certain, one SELECT that locks nothing."""
    known = normalise(sql)
    if not known.complete or "/*!" in sql or "/*M!" in sql:
        raise StorexError(Reason.STATEMENT_NOT_EXPLAINED, problem=UNCLEAR)
    words = _NAMES.sub("`", known.text)
    if not _SELECTS.match(words) or _NOT_ONLY_READING.search(words):
        raise StorexError(Reason.STATEMENT_NOT_EXPLAINED, problem=NOT_A_SELECT)


def _problem(error: pymysql.MySQLError) -> str | None:
    number = error.args[0] if error.args else 0
    for numbers, problem in ((_NO_SELECT, NO_SELECT), (_BLOCKED, BLOCKED), (_GONE, GONE)):
        if number in numbers:
            return problem
    return None
