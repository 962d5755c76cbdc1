"""`innodb.redo_stall`: writes wait for room in the redo log."""

from __future__ import annotations

from services.agent.report.causes.cause import LOW_RISK, MEDIUM_RISK, NO_RISK, Facts, Link, Step, Supporting
from services.agent.report.causes.wording import seconds

_TOOL = "get_redo_state"
_VARIABLE = "variable"
_CAPACITY = "capacity_bytes"
_AGE = "checkpoint_age_bytes"
_USED = "average_used_ratio"
_RATE = "write_bytes_per_second"
_FILLED = "seconds_to_fill"
_WRITING = "writing_sessions"
_MIB = 1024 * 1024
_HOLDS, _SMALLEST, _LARGEST = 1800, 1024 * _MIB, 32 * 1024 * _MIB
"""A log that holds half an hour of what is written evens out the writing of pages, within these bounds."""


class RedoStall:
    """Says how small the log is for what is written, and how large it should be."""

    kind = "innodb.redo_stall"
    supporting = (
        Supporting(_TOOL, _VARIABLE, "The variable that sets the redo log's size."),
        Supporting(_TOOL, _CAPACITY, "Its size, in bytes."),
        Supporting(_TOOL, _AGE, "Log whose pages are not written yet, in bytes."),
        Supporting(_TOOL, _USED, "The same as a share of what makes writers wait, on average."),
        Supporting(_TOOL, _RATE, "Log written a second, in bytes."),
        Supporting(_TOOL, _FILLED, "Seconds in which that fills the log's room."),
        Supporting(_TOOL, _WRITING, "Sessions that are in the middle of a write on average."),
    )

    def summary(self, facts: Facts) -> str:
        """The log's size against what is written."""
        if not facts.value(_FILLED):
            return facts.fallback
        return (
            f"The redo log of {_mib(facts.number(_CAPACITY))} ({facts.value(_VARIABLE)}) is full all the time: what is"
            f" written would fill it within {seconds(facts.number(_FILLED))}, and writes wait for room."
        )

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """A small log and many writes → a checkpoint that cannot keep up → writers wait."""
        if not facts.value(_FILLED):
            return ()
        return (
            Link(
                f"{_mib(facts.number(_RATE))} of log are written a second to {_mib(facts.number(_CAPACITY))}.",
                (_VARIABLE, _CAPACITY, _RATE, _FILLED),
            ),
            Link(
                "Log may be overwritten only once the pages that it is about are on the disk: "
                f"{facts.number(_USED):.0%} of its room is in use, and pages have to be written at once.",
                (_USED, _AGE),
            ),
            Link(
                f"Whoever writes waits for that: {facts.number(_WRITING):.1f} sessions are in the middle of a write.",
                (_WRITING,),
            ),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """See who writes so much, then make the log larger."""
        variable, name = facts.entity("cause", "variable"), facts.cause.name
        wanted = facts.number(_RATE) * _HOLDS
        size = int(-(-min(max(wanted, 2 * facts.number(_CAPACITY), _SMALLEST), _LARGEST) // _MIB) * _MIB)
        steps = [
            Step("See how full it is, and how fast it is filled.", NO_RISK, f"storex diag redo_state {name}"),
            Step(
                f"See in `storex diag top_queries {name}` which statements change most: an import or a batch can go in"
                " smaller steps, or slower.",
                LOW_RISK,
            ),
        ]
        larger = size > facts.number(_CAPACITY)
        if larger and variable in ("innodb_redo_log_capacity", "innodb_log_file_size"):
            steps.append(
                Step(
                    "Make the redo log larger while the server runs (MySQL since 8.0.30, MariaDB since 10.9; before"
                    " that in the configuration, with a restart). Recovery after a crash takes longer the larger it is."
                    f" Before: see that the disk has that room. After: `storex diag redo_state {name}` shows less of it"
                    " in use; set it in the configuration file too, or a restart takes it back.",
                    MEDIUM_RISK,
                    f"SET GLOBAL {variable} = {size}",
                )
            )
        return tuple(steps)


def _mib(size: float) -> str:
    return f"{size / _MIB:,.0f} MiB" if size >= 10 * _MIB else f"{size / _MIB:,.1f} MiB"
