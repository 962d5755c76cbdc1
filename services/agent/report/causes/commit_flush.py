"""`innodb.flush_per_commit`: very many small commits, each of which waits for the disk."""

from __future__ import annotations

from services.agent.report.causes.cause import HIGH_RISK, LOW_RISK, NO_RISK, Facts, Link, Step, Supporting
from services.agent.report.causes.wording import seconds

_TOOL = "get_commit_state"
_VARIABLE = "variable"
_FLUSH = "flush_log_at_commit"
_SYNC = "sync_binlog"
_BINARY_LOG = "binary_log"
_COMMITS = "commits_per_second"
_ROWS = "rows_per_commit"
_LOAD = "flush_load"
_EACH = "flush_seconds"
_COMMITTING = "committing_sessions"
_LOOSER = {"innodb_flush_log_at_trx_commit": "2", "sync_binlog": "100"}


class CommitFlush:
    """Says how many commits wait for how many flushes; fewer, larger transactions come before weaker guarantees."""

    kind = "innodb.flush_per_commit"
    supporting = (
        Supporting(_TOOL, _VARIABLE, "The setting that has the disk flushed at each commit."),
        Supporting(_TOOL, _FLUSH, "The value of innodb_flush_log_at_trx_commit."),
        Supporting(_TOOL, _SYNC, "The value of sync_binlog."),
        Supporting(_TOOL, _BINARY_LOG, "Whether there is a binary log, which sync_binlog is about."),
        Supporting(_TOOL, _COMMITS, "Commits a second."),
        Supporting(_TOOL, _ROWS, "Rows changed by each of them."),
        Supporting(_TOOL, _LOAD, "Share of the time that the logs were being flushed."),
        Supporting(_TOOL, _EACH, "Time of one flush, in seconds."),
        Supporting(_TOOL, _COMMITTING, "Sessions in a commit on average."),
    )

    def summary(self, facts: Facts) -> str:
        """How many commits of how many rows, and the settings."""
        if not facts.value(_COMMITS):
            return facts.fallback
        return (
            f"{facts.number(_COMMITS):,.0f} commits a second of {facts.number(_ROWS):.1f} rows each wait for the disk"
            f" ({_settings(facts)})."
        )

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """Small transactions → a flush each → sessions wait in their commit."""
        if not facts.value(_COMMITS):
            return ()
        each, load = facts.number(_EACH), facts.number(_LOAD)
        flushed = f"; one flush takes {seconds(each)}" if each else ""
        flushed += f", and the logs are being flushed for {load:.0%} of the time" if load else ""
        return (
            Link(
                f"{facts.number(_COMMITS):,.0f} transactions a second commit, of {facts.number(_ROWS):.1f} rows each.",
                (_COMMITS, _ROWS),
            ),
            Link(
                f"With {_settings(facts)} each commit waits until the disk has it{flushed}.",
                (_VARIABLE, _FLUSH, _SYNC, _BINARY_LOG, _LOAD, _EACH),
            ),
            Link(f"{facts.number(_COMMITTING):.1f} sessions wait in a commit on average.", (_COMMITTING,)),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """Fewer commits; a faster disk; last, weaker guarantees."""
        after = f"After: `storex diag commit_state {facts.cause.name}` shows fewer sessions in a commit."
        larger = Step(
            "Let the program that commits most put many rows into one transaction, some hundreds at a time: the same "
            f"work needs a hundredth of the flushes, and nothing is lost. {after}",
            LOW_RISK,
        )
        look = Step(
            "See both settings, and which statements write most.",
            NO_RISK,
            "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('innodb_flush_log_at_trx_commit', 'sync_binlog')",
        )
        variable = facts.entity("cause", "variable")
        looser = _LOOSER.get(variable)
        if looser is None:
            return look, larger
        return (
            look,
            larger,
            Step(
                "Only where the last second of commits may be lost when the machine or its power fails, and replicas "
                f"may then differ: flush about once a second. Before: have the data's owner agree. {after} Set it "
                f"back to"
                f" {facts.value(_FLUSH if variable != 'sync_binlog' else _SYNC) or '1'} when the import is done.",
                HIGH_RISK,
                f"SET GLOBAL {variable} = {looser}",
            ),
        )


def _settings(facts: Facts) -> str:
    both = f"innodb_flush_log_at_trx_commit = {facts.number(_FLUSH):.0f}"
    return f"{both}, sync_binlog = {facts.number(_SYNC):.0f}" if facts.value(_BINARY_LOG) == "true" else both
