"""`replication.error`: a replication thread cannot go on."""

from __future__ import annotations

from services.agent.report.causes.cause import HIGH_RISK, LOW_RISK, MEDIUM_RISK, Facts, Link, Step, Supporting
from services.agent.report.causes.replica_commands import OLD_WORDS, see, start

_TOOL = "get_replication"
_CHANNEL = "channels[*].channel"
_ERROR = "channels[*].error_code"
_RECEIVER = "channels[*].receiver"
_APPLIER = "channels[*].applier"
_APPLIER_ERROR = "channels[*].applier_error_code"
_QUEUED = "channels[*].queued_bytes"
_AT = "channels[*].error_at"

_DIFFERENT_DATA = {
    "1032": "a row that the source changed is not there (1032)",
    "1062": "a row that the source wrote is there already (1062)",
    "1146": "a table that the source changed is not there (1146)",
    "1050": "a table that the source made is there already (1050)",
    "1452": "a row that the source refers to is not there (1452)",
}
"""Errors of an applier that mean that replica and source hold different data."""
_UNREACHABLE = {
    "1045": "the source refuses its password (1045)",
    "1129": "the source blocks its host (1129)",
    "1130": "the source does not let its host in (1130)",
    "2003": "the source cannot be reached (2003)",
    "2005": "the source's name is not known (2005)",
    "2013": "the connection to the source is lost (2013)",
    "2026": "no TLS connection to the source comes about (2026)",
    "2061": "the source wants TLS, or its public key, for this account (2061)",
}
"""Errors of a receiver that cannot log in at its source."""
_LOG_IS_GONE = {
    "1236": "the source no longer has the binary log that is needed, or cannot read it (1236)",
    "13114": "the source no longer has the binary log that is needed, or cannot read it (13114)",
}


class ReplicationError:
    """Says what the error means, and how to mend what is behind it before the thread is started again."""

    kind = "replication.error"
    supporting = (
        Supporting(_TOOL, _CHANNEL, "The channel."),
        Supporting(_TOOL, _ERROR, "The error that keeps it from running."),
        Supporting(_TOOL, _RECEIVER, "The thread that takes the source's changes."),
        Supporting(_TOOL, _APPLIER, "The threads that apply them."),
        Supporting(_TOOL, _APPLIER_ERROR, "The applier's error; 0 where it is not the applier that failed."),
        Supporting(_TOOL, _QUEUED, "Changes that were received and wait to be applied, in bytes."),
        Supporting(_TOOL, _AT, "When it failed."),
    )

    def summary(self, facts: Facts) -> str:
        """Which channel, and what is wrong."""
        if not facts.value(_ERROR):
            return facts.fallback
        return f"Replication channel {facts.entity('affected', 'channel')} does not get on: {_meaning(facts)}."

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """The error → a thread that stands still → old data."""
        if not facts.value(_ERROR):
            return ()
        thread = "applier" if _of_applier(facts) else "receiver"
        queued = f"; {facts.number(_QUEUED):,.0f} bytes of changes wait here" if facts.number(_QUEUED) else ""
        return (
            Link(f"For the {thread}, {_meaning(facts)}.", (_CHANNEL, _ERROR, _APPLIER_ERROR, _AT)),
            Link(
                f"So it does not go on{queued}, and whoever reads here reads old data.", (_RECEIVER, _APPLIER, _QUEUED)
            ),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """See the whole error, mend its cause, start again; a new copy where nothing else helps."""
        if not facts.value(_ERROR):
            return ()
        return see(facts), *_mending(facts)


def _of_applier(facts: Facts) -> bool:
    return facts.value(_APPLIER_ERROR) == facts.value(_ERROR)


def _meaning(facts: Facts) -> str:
    code = facts.value(_ERROR)
    known = _DIFFERENT_DATA if _of_applier(facts) else _UNREACHABLE | _LOG_IS_GONE
    return known.get(code, f"error {code} stops it")


def _mending(facts: Facts) -> tuple[Step, ...]:
    code, name = facts.value(_ERROR), facts.cause.name
    after = f"After: `storex diag replication {name}` shows no error, and the lag falls. {OLD_WORDS}"
    anew = Step(
        "Make the replica anew from a backup of its source: the only way to be sure of its data. Before: another "
        "replica or a backup serves the reads meanwhile. After: compare row counts of the largest tables.",
        HIGH_RISK,
    )
    if not _of_applier(facts):
        if code in _LOG_IS_GONE:
            return (anew,)
        return (
            Step(
                "Mend the way to the source: does it run, does its address answer from here, was the replication "
                "account's password changed or the account locked? The receiver tries again by itself.",
                LOW_RISK,
            ),
            Step(
                f"If it has given up, start it. Before: log in at the source with its account from this host. {after}",
                MEDIUM_RISK,
                start(facts, "IO_THREAD"),
            ),
        )
    why = "Find out why: somebody wrote on the replica, or it lost changes in a crash."
    mend = "Mend what the error's text names."
    if code in _DIFFERENT_DATA:
        mend = (
            "Compare the row or table that the error's text names on both servers, and make the replica's like it was "
            "on the source before that change, in a session with sql_log_bin = 0."
        )
    return (
        Step(
            f"{why} {mend} To skip the change instead leaves the two different for good.",
            MEDIUM_RISK,
        ),
        Step(
            f"Start the applier. Before: what the error names is mended, or it stops at once again. {after}",
            MEDIUM_RISK,
            start(facts, "SQL_THREAD"),
        ),
        anew,
    )
