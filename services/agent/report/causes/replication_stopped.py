"""`replication.stopped`: a replication thread was stopped and not started again."""

from __future__ import annotations

from services.agent.report.causes.cause import LOW_RISK, MEDIUM_RISK, Facts, Link, Step, Supporting
from services.agent.report.causes.replica_commands import OLD_WORDS, see, start

_TOOL = "get_replication"
_CHANNEL = "channels[*].channel"
_STOPPED = "channels[*].stopped_thread"
_RECEIVER = "channels[*].receiver"
_APPLIER = "channels[*].applier"
_ERROR = "channels[*].error_code"
_QUEUED = "channels[*].queued_bytes"
_READ_ONLY = "read_only"
_THREADS = {"receiver": "IO_THREAD", "applier": "SQL_THREAD"}


class ReplicationStopped:
    """Says which thread stands still, and asks who stopped it before it is started."""

    kind = "replication.stopped"
    supporting = (
        Supporting(_TOOL, _CHANNEL, "The channel."),
        Supporting(_TOOL, _STOPPED, "What of it does not run."),
        Supporting(_TOOL, _RECEIVER, "The thread that takes the source's changes."),
        Supporting(_TOOL, _APPLIER, "The threads that apply them."),
        Supporting(_TOOL, _ERROR, "The error that stopped it; 0 for none."),
        Supporting(_TOOL, _QUEUED, "Changes that were received and wait to be applied, in bytes."),
        Supporting(_TOOL, _READ_ONLY, "Whether the server refuses clients' writes, as replicas do."),
    )

    def summary(self, facts: Facts) -> str:
        """Which thread of which channel."""
        stopped = facts.value(_STOPPED)
        if not stopped:
            return facts.fallback
        return (
            f"Replication channel {facts.entity('affected', 'channel')} stands still: its {stopped}"
            f" {_verb(stopped)} stopped, by nobody's error."
        )

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """A stopped thread → changes that do not arrive → old data."""
        stopped = facts.value(_STOPPED)
        if not stopped:
            return ()
        queued = f"; {facts.number(_QUEUED):,.0f} bytes of changes wait here" if facts.number(_QUEUED) else ""
        missing = "are received and not applied" if stopped == "applier" else "do not arrive"
        return (
            Link(
                f"The {stopped} of channel {facts.entity('affected', 'channel')} {_verb(stopped)} stopped, without an"
                " error: by a STOP REPLICA, or because the server was started so.",
                (_CHANNEL, _STOPPED, _RECEIVER, _APPLIER, _ERROR),
            ),
            Link(f"The source's changes {missing}{queued}: whoever reads here reads old data.", (_STOPPED, _QUEUED)),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """Look, ask who stopped it, start it."""
        if not facts.value(_STOPPED):
            return ()
        thread = _THREADS.get(facts.value(_STOPPED), "")
        ask = (
            "Ask who stopped it and whether they are done: a backup, a schema change or an upgrade may rely on it. "
            "Until "
            "it runs again, send reads that must be current to another replica."
        )
        if facts.value(_READ_ONLY) == "false":
            ask += (
                " The server takes writes: if it was made the primary, it must not follow anybody any more; then leave "
                "it stopped."
            )
        command = start(facts, thread)
        return (
            see(facts),
            Step(ask, LOW_RISK),
            Step(
                "Start it once nobody needs it stopped. Before: the status shows no error, and this is still a replica "
                f"of that source. After: both threads run, and `storex diag replication {facts.cause.name}` shows "
                f"the lag "
                f"fall; until then readers see old data. {OLD_WORDS}",
                MEDIUM_RISK,
                command,
            ),
        )


def _verb(stopped: str) -> str:
    return "are" if " and " in stopped else "is"
