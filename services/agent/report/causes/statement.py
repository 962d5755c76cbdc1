"""What guides about one statement share: its figures, and steps that look at its plan and give it an index."""

from __future__ import annotations

import re

from services.agent.report.causes.cause import MEDIUM_RISK, NO_RISK, Facts, Step, Supporting
from services.agent.report.sql import quoted_identifier

TOOL = "list_top_queries"
DIGEST = "queries[*].statement.digest"
TEXT = "queries[*].statement.digest_text"
SCHEMA = "queries[*].schema"
CALLS = "queries[*].calls"
RATE = "queries[*].calls_per_second"
AVERAGE = "queries[*].average_seconds"
LOAD = "queries[*].load"
EXAMINED = "queries[*].rows_examined"
SENT = "queries[*].rows_sent"

FIGURES = (
    Supporting(TOOL, DIGEST, "The digest of the statement."),
    Supporting(TOOL, TEXT, "The statement, its literals replaced."),
    Supporting(TOOL, SCHEMA, "The schema that it runs in."),
    Supporting(TOOL, CALLS, "Its calls in the window."),
    Supporting(TOOL, RATE, "Its calls a second."),
    Supporting(TOOL, AVERAGE, "Average time of a call, in seconds."),
    Supporting(TOOL, LOAD, "Sessions busy with it on average."),
    Supporting(TOOL, EXAMINED, "Rows that it read in the window."),
    Supporting(TOOL, SENT, "Rows that it returned in the window."),
)

_CONDITION = re.compile(
    r"(?:`?(?P<qualifier>\w+)`?\s*\.\s*)?`?(?P<column>\w+)`?\s*"
    r"(?P<operator><=>|<=|>=|=|<|>|\bIN\b|\bBETWEEN\b)\s*(?:\(\s*)?(?:\?|\.\.\.)",
    re.ASCII | re.IGNORECASE,
)
_CALL = re.compile(r"\s*CALL\s+(?P<name>(?:`[^`]*`|[\w$.])+)", re.IGNORECASE)
_EQUALITY = ("=", "<=>", "IN")
_AFTER_WHERE = re.compile(
    r"\bWHERE\b(?P<where>.*?)(?:\b(?:GROUP|ORDER)\s+BY\b|\b(?:LIMIT|HAVING|FOR)\b|$)", re.I | re.S
)
_NOT_SINGLE = re.compile(r"\b(?:JOIN|UNION|OR|EXISTS)\b|\(\s*SELECT\b", re.IGNORECASE)
_MAX_COLUMNS = 4


def on_table(facts: Facts) -> str:
    """` on shop.orders`, or empty where the table is not known."""
    table = facts.entity("affected", "table")
    return f" on {table}" if table else ""


def looking_steps(facts: Facts) -> tuple[Step, ...]:
    """See the statement's plan, and the indexes that its table has."""
    steps = []
    text, table = facts.value(TEXT), facts.entity("affected", "table")
    if text.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "INSERT", "REPLACE", "WITH")):
        schema = facts.value(SCHEMA)
        within = f" in schema {schema}" if schema else ""
        steps.append(
            Step(
                f"See the plan{within}: put real values where the question marks stand. "
                "`type: ALL` without a key means that every row is read.",
                NO_RISK,
                f"EXPLAIN {text}",
            )
        )
    procedure = _called(text, facts.value(SCHEMA))
    if procedure:
        show = f"SHOW CREATE PROCEDURE {procedure}"
        steps.append(Step("See which of the statements that the procedure runs it may be.", NO_RISK, show))
    quoted = quoted_identifier(table) if table else None
    if quoted:
        show = f"SHOW INDEX FROM {quoted}"
        steps.append(Step("See the indexes that the table has: one may miss only a column.", NO_RISK, show))
    return tuple(steps)


def _called(digest_text: str, schema: str) -> str | None:
    """The procedure of a CALL, quoted; None for other statements."""
    call = _CALL.match(digest_text)
    if call is None:
        return None
    name = call["name"].replace("`", "")
    return quoted_identifier(name if "." in name or not schema else f"{schema}.{name}")


def index_step(facts: Facts) -> Step:
    """Add the index that the statement's conditions ask for, as far as they say."""
    table, columns = facts.entity("affected", "table"), index_columns(facts.value(TEXT))
    quoted = quoted_identifier(table) if table else None
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
