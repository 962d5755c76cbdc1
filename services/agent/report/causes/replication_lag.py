"""`replication.lag`: the replica runs, and falls behind."""

from __future__ import annotations

from services.agent.report.causes.cause import HIGH_RISK, LOW_RISK, MEDIUM_RISK, NO_RISK, Facts, Link, Step, Supporting
from services.agent.report.causes.replica_commands import see
from services.agent.report.causes.wording import seconds
from services.agent.report.sql import quoted_identifier

_TOOL = "get_replication"
_CHANNEL = "channels[*].channel"
_LAG = "channels[*].lag_seconds"
_DELAY = "channels[*].delay_seconds"
_QUEUED = "channels[*].queued_bytes"
_GROWTH = "lag_growth"
_WINDOW = "window_seconds"
_TABLE = "appliers[*].table"
_KEYLESS = "appliers[*].table_without_key"
_STATE = "appliers[*].state"
_SEE_PARALLEL = "SHOW GLOBAL VARIABLES LIKE '%parallel%'"


class ReplicationLag:
    """Says how far behind it is and what the applier is at work on; a key for a table that has none comes first."""

    kind = "replication.lag"
    supporting = (
        Supporting(_TOOL, _CHANNEL, "The channel."),
        Supporting(_TOOL, _LAG, "How far it is behind its source, in seconds."),
        Supporting(_TOOL, _DELAY, "By how much it is meant to be behind, in seconds."),
        Supporting(_TOOL, _QUEUED, "Changes that were received and wait to be applied, in bytes."),
        Supporting(_TOOL, _GROWTH, "By how much the lag grew in the window, in seconds."),
        Supporting(_TOOL, _WINDOW, "The window, in seconds."),
        Supporting(_TOOL, _TABLE, "The table that an applier is at work on."),
        Supporting(_TOOL, _KEYLESS, "Whether that table has neither a primary key nor a unique one without NULL."),
        Supporting(_TOOL, _STATE, "What the applier is doing."),
    )

    def summary(self, facts: Facts) -> str:
        """How far behind, and at work on what."""
        if not facts.value(_LAG):
            return facts.fallback
        return (
            f"Replication channel {facts.entity('affected', 'channel')} is {seconds(facts.number(_LAG))} behind its "
            f"source{_at_work(facts)}."
        )

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """What the applier has to do → changes queue up → old data."""
        if not facts.value(_LAG):
            return ()
        keyless = _is_keyless(facts)
        why = (
            f"The applier changes {_table(facts)}, which has no key: each row is searched for in the whole table."
            if keyless
            else "Changes come in faster than the applier takes them in" + _at_work(facts) + "."
        )
        growth = facts.number(_GROWTH)
        trend = f", {seconds(growth)} more than {seconds(facts.number(_WINDOW))} ago" if growth >= 1 else ""
        return (
            Link(why, (_TABLE, _KEYLESS, _STATE, _QUEUED)),
            Link(
                f"The replica is {seconds(facts.number(_LAG))} behind{trend}: whoever reads here reads data of that "
                f"age.",
                (_CHANNEL, _LAG, _GROWTH, _WINDOW),
            ),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """Look, send readers elsewhere, give the table a key or the applier helpers."""
        if not facts.value(_LAG):
            return ()
        after = f"After: `storex diag replication {facts.cause.name}` shows the lag fall."
        elsewhere = Step(
            "Send reads that must be current to the source or another replica until this one has caught up, and do not "
            "fail over to it. Ask what writes so much on the source: a batch in smaller parts may be enough.",
            LOW_RISK,
        )
        table = quoted_identifier(_table(facts)) if _is_keyless(facts) else None
        if table is not None:
            return see(facts), elsewhere, _key(table, after)
        return (
            see(facts),
            elsewhere,
            Step("See how many appliers work side by side, and how they share the work.", NO_RISK, _SEE_PARALLEL),
            Step(
                "If there is one only, let several apply: see the engine's manual for what keeps their order, and for "
                f"the source's part. The applier must be stopped for a moment. Before: note the lag. {after}",
                MEDIUM_RISK,
            ),
        )


def _key(table: str, after: str) -> Step:
    return Step(
        "Give the table a primary key, on the source: from there it gets to all replicas. Best over columns that "
        "identify a row already; else by this new one, which `SELECT *` does not show. It copies the table and stops "
        "writes to it meanwhile, and each replica does the same: large tables want an online schema change tool. "
        f"Before: see the table's size, and that no other column counts up by itself. {after}",
        HIGH_RISK,
        f"ALTER TABLE {table} ADD COLUMN row_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT INVISIBLE, "
        "ADD PRIMARY KEY (row_id)",
    )


def _table(facts: Facts) -> str:
    return facts.entity("affected", "table")


def _is_keyless(facts: Facts) -> bool:
    return bool(_table(facts)) and "true" in facts.values(_KEYLESS)


def _at_work(facts: Facts) -> str:
    if not _table(facts):
        return ""
    return f"; its applier is at work on {_table(facts)}" + (", which has no key" if _is_keyless(facts) else "")
