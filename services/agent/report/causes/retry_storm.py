"""`traffic.retry_storm`: clients repeat what fails."""

from __future__ import annotations

from services.agent.report.causes.cause import LOW_RISK, NO_RISK, Facts, Link, Step, Supporting
from services.agent.report.causes.statement import on_table
from services.agent.report.causes.wording import count, owner, seconds
from services.agent.report.sql import quoted_identifier

_TOOL = "list_failing_statements"
_DIGEST = "statements[*].statement.digest"
_TEXT = "statements[*].statement.digest_text"
_FAILED = "statements[*].failed"
_CALLS = "statements[*].calls"
_RATE = "statements[*].failed_per_second"
_BEFORE = "statements[*].failures.earlier_per_second"
_CODE = "statements[*].errors[*].error_code"
_ALL_FAILED = "failed"
_ALL_CALLS = "calls"
_WINDOW = "window_seconds"

_MEANINGS = {
    "1044": "the account may not use the database",
    "1048": "a column that must have a value gets none",
    "1054": "a column that it names is not there",
    "1062": "a row with that key is there already",
    "1136": "the number of values is not that of the columns",
    "1142": "the account may not do that to the table",
    "1146": "a table that it names is not there",
    "1205": "it waits for a lock for too long",
    "1213": "it is chosen as the victim of a deadlock",
    "1264": "a value is out of its column's range",
    "1305": "a function or procedure that it calls is not there",
    "1364": "a column without a default gets no value",
    "1366": "a value does not fit its column's type or character set",
    "1406": "a value is too long for its column",
    "1451": "other rows refer to the row that it would delete or change",
    "1452": "the row that it refers to is not there",
    "1644": "a trigger or procedure refuses it",
    "3819": "a CHECK constraint refuses it",
    "4025": "a CHECK constraint refuses it",
}
"""What engines mean by the errors that a client's own statement brings about, by their manuals."""
_OF_DEFINITIONS = frozenset({"1048", "1054", "1136", "1146", "1264", "1364", "1366", "1406", "1452", "3819", "4025"})
"""Errors that a table's definition tells more about."""


class RetryStorm:
    """Names the statement, its error and its client, and how to stop the repeating."""

    kind = "traffic.retry_storm"
    supporting = (
        Supporting(_TOOL, _DIGEST, "The digest of the statement that fails."),
        Supporting(_TOOL, _TEXT, "The statement, its literals replaced."),
        Supporting(_TOOL, _FAILED, "Its calls in the window that failed."),
        Supporting(_TOOL, _CALLS, "Its calls in the window."),
        Supporting(_TOOL, _RATE, "Its failures a second."),
        Supporting(_TOOL, _BEFORE, "Its failures a second, before."),
        Supporting(_TOOL, _CODE, "The error that it fails with."),
        Supporting(_TOOL, _ALL_FAILED, "Calls of all statements in the window that failed."),
        Supporting(_TOOL, _ALL_CALLS, "Calls of all statements in the window."),
        Supporting(_TOOL, _WINDOW, "The window that this was counted over, in seconds."),
    )

    def summary(self, facts: Facts) -> str:
        """Which statement fails how often, with what, and who repeats it."""
        if not facts.number(_FAILED):
            return facts.fallback
        who = owner(facts, "cause")
        return (
            f"A client{f' ({who})' if who else ''} sends a statement{on_table(facts)} {facts.number(_RATE):.0f} times a"
            f" second although it fails{_with(facts)}."
        )

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """A statement that cannot succeed → repeated at once → work for nothing."""
        if not facts.number(_FAILED):
            return ()
        return (
            Link(f"A statement{on_table(facts)} fails{_with(facts)}.", (_DIGEST, _TEXT, _CODE)),
            Link(
                f"Its client sends it again at once: {facts.number(_FAILED):,.0f} of"
                f" {count(facts.number(_CALLS), 'call')} failed in {seconds(facts.number(_WINDOW))},"
                f" {facts.number(_RATE):.0f} a second instead of {facts.number(_BEFORE):.0f}.",
                (_FAILED, _CALLS, _RATE, _BEFORE, _WINDOW),
            ),
            Link(
                f"{facts.number(_ALL_FAILED):,.0f} of {count(facts.number(_ALL_CALLS), 'statement')} that the server"
                " was sent were for nothing, and what they should do is not done.",
                (_ALL_FAILED, _ALL_CALLS),
            ),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """See what fails and why; mend it, or have the client wait."""
        name, who = facts.cause.name, owner(facts, "cause") or "the client that sends it"
        steps = [
            Step(
                "See which statements fail, with which error and for whom.",
                NO_RISK,
                f"storex diag failing_statements {name}",
            ),
            Step(
                "See what changed when it began: a deployment, a schema change, a privilege.",
                NO_RISK,
                f"storex changes {name}",
            ),
        ]
        table = quoted_identifier(facts.entity("affected", "table"))
        if table is not None and facts.entity("cause", "error_code") in _OF_DEFINITIONS:
            steps.append(
                Step("Compare the statement with the table's definition.", NO_RISK, f"SHOW CREATE TABLE {table}")
            )
        steps.append(
            Step(
                f"At the client ({who}): roll back what was released at that time or turn the job off; set aside what"
                " fails for good instead of trying it again, and try the rest with pauses that grow. Before and after:"
                f" failures a second in `storex diag failing_statements {name}`.",
                LOW_RISK,
            )
        )
        return tuple(steps)


def _with(facts: Facts) -> str:
    """` with error 1054: a column that it names is not there`, as far as known."""
    code = facts.entity("cause", "error_code")
    if not code:
        return ""
    meaning = _MEANINGS.get(code)
    return f" with error {code}{f': {meaning}' if meaning else ''}"
