"""`query.missing_index`: a statement reads far more rows than it returns, without an index."""

from __future__ import annotations

import re

from services.agent.report.causes.cause import MEDIUM_RISK, NO_RISK, Facts, Link, Step, Supporting
from services.agent.report.causes.wording import count, seconds
from services.agent.report.sql import quoted_identifier

_TOOL = "list_top_queries"
_DIGEST = "queries[*].statement.digest"
_TEXT = "queries[*].statement.digest_text"
_SCHEMA = "queries[*].schema"
_CALLS = "queries[*].calls"
_AVERAGE = "queries[*].average_seconds"
_LOAD = "queries[*].load"
_EXAMINED = "queries[*].rows_examined"
_SENT = "queries[*].rows_sent"
_NO_INDEX = "queries[*].no_index_used"

_CONDITION = re.compile(
    r"(?:`?(?P<qualifier>\w+)`?\s*\.\s*)?`?(?P<column>\w+)`?\s*"
    r"(?P<operator><=>|<=|>=|=|<|>|\bIN\b|\bBETWEEN\b)\s*(?:\(\s*)?(?:\?|\.\.\.)",
    re.ASCII | re.IGNORECASE,
)
_EQUALITY = ("=", "<=>", "IN")
_AFTER_WHERE = re.compile(
    r"\bWHERE\b(?P<where>.*?)(?:\b(?:GROUP|ORDER)\s+BY\b|\b(?:LIMIT|HAVING|FOR)\b|$)", re.I | re.S
)
_NOT_SINGLE = re.compile(r"\b(?:JOIN|UNION|OR|EXISTS)\b|\(\s*SELECT\b", re.IGNORECASE)
_MAX_COLUMNS = 4


class MissingIndex:
    """Shows what the statement reads for what it returns, and proposes the index that its conditions ask for."""

    kind = "query.missing_index"
    supporting = (
        Supporting(_TOOL, _DIGEST, "The digest of the statement."),
        Supporting(_TOOL, _EXAMINED, "Rows that it read in the window."),
        Supporting(_TOOL, _NO_INDEX, "Calls that used no index."),
        Supporting(_TOOL, _TEXT, "The statement, its literals replaced."),
        Supporting(_TOOL, _SCHEMA, "The schema that it runs in."),
        Supporting(_TOOL, _SENT, "Rows that it returned in the window."),
        Supporting(_TOOL, _CALLS, "Its calls in the window."),
        Supporting(_TOOL, _AVERAGE, "Average time of a call, in seconds."),
        Supporting(_TOOL, _LOAD, "Sessions busy with it on average."),
    )

    def summary(self, facts: Facts) -> str:
        """Which statement, on which table, reads how much for how little."""
        calls = facts.number(_CALLS)
        if not calls:
            return facts.fallback
        return (
            f"Statement {facts.entity('cause', 'statement_digest')}{_on(facts)} finds its rows without an index: "
            f"{count(facts.number(_EXAMINED) / calls, 'row')} read a call for "
            f"{count(facts.number(_SENT) / calls, 'row')} returned, {count(calls, 'call')} of "
            f"{seconds(facts.number(_AVERAGE))} each."
        )

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """No index → every row read → busy sessions."""
        if not facts.number(_CALLS):
            return ()
        return (
            Link(
                f"{count(facts.number(_NO_INDEX), 'call')} of the statement used no index{_on(facts)}.",
                (_DIGEST, _NO_INDEX, _TEXT, _SCHEMA),
            ),
            Link(
                f"So it read {count(facts.number(_EXAMINED), 'row')} to return {count(facts.number(_SENT), 'row')}.",
                (_EXAMINED, _SENT, _CALLS),
            ),
            Link(
                f"Each call takes {seconds(facts.number(_AVERAGE))}; it keeps {facts.number(_LOAD):.1f} sessions busy "
                "on average, and what they use the others lack.",
                (_AVERAGE, _LOAD),
            ),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """See the plan and the indexes there are, then add the one that is missing."""
        steps: list[Step] = []
        text, table = facts.value(_TEXT), facts.entity("affected", "table")
        if text.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "INSERT", "REPLACE", "WITH")):
            steps.append(
                Step(
                    f"Confirm the plan{_within(facts)}: put real values where the question marks stand. "
                    "`type: ALL` without a key means that every row is read.",
                    NO_RISK,
                    f"EXPLAIN {text}",
                )
            )
        quoted = quoted_identifier(table) if table else None
        if quoted:
            steps.append(
                Step(
                    "See the indexes that the table has: one may miss only a column.",
                    NO_RISK,
                    f"SHOW INDEX FROM {quoted}",
                )
            )
        steps.append(self._create(text, table, quoted))
        return tuple(steps)

    def _create(self, text: str, table: str, quoted: str | None) -> Step:
        columns = index_columns(text)
        advice = (
            "Building it reads the whole table and costs disk space and some write speed. Before: try it on a replica "
            "or a copy, and note the statement's average time. After: EXPLAIN names the index, and "
            "`storex diag top_queries` shows fewer rows read a call."
        )
        if not columns or quoted is None:
            return Step(f"Add an index for the columns that the statement's conditions compare. {advice}", MEDIUM_RISK)
        name = quoted_identifier(f"idx_{table.rpartition('.')[2]}_{'_'.join(columns)}"[:64].replace(".", "_"))
        listed = ", ".join(f"`{column}`" for column in columns)
        return Step(
            f"Add the index that the statement's conditions ask for. {advice}",
            MEDIUM_RISK,
            f"CREATE INDEX {name} ON {quoted} ({listed}) ALGORITHM=INPLACE LOCK=NONE",
        )


def index_columns(digest_text: str) -> list[str]:
    """The columns to index for a statement on one table: those compared for equality, then one compared as a range.

    Empty where the text joins, nests or offers alternatives: there the choice needs a person.
    """
    where = _AFTER_WHERE.search(digest_text)
    if where is None or _NOT_SINGLE.search(digest_text):
        return []
    found = [(match["column"], match["operator"].upper()) for match in _CONDITION.finditer(where["where"])]
    equal = [column for column, operator in found if operator in _EQUALITY]
    ranged = [column for column, operator in found if operator not in _EQUALITY]
    return list(dict.fromkeys([*equal, *ranged[:1]]))[:_MAX_COLUMNS]


def _within(facts: Facts) -> str:
    schema = facts.value(_SCHEMA)
    return f" in schema {schema}" if schema else ""


def _on(facts: Facts) -> str:
    table = facts.entity("affected", "table")
    return f" on {table}" if table else ""
