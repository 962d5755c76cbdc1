"""`config.change`: a variable was set while the server runs, and clients feel it."""

from __future__ import annotations

import re

from services.agent.report.causes.cause import MEDIUM_RISK, NO_RISK, Facts, Link, Step, Supporting

_TOOL = "list_variable_changes"
_VARIABLE = "changes[*].variable"
_OLD = "changes[*].old_value"
_NEW = "changes[*].value"
_DEFAULT = "changes[*].default_value"
_SYMPTOM = "changes[*].symptom"
_NOW = "changes[*].symptom_now"
_BEFORE = "changes[*].symptom_before"
_AT = "changes[*].changed_at"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]+)?", re.ASCII)


class VariableChange:
    """Names the variable with its old and new value and the counter that shows the harm."""

    kind = "config.change"
    supporting = (
        Supporting(_TOOL, _VARIABLE, "The variable that was changed."),
        Supporting(_TOOL, _OLD, "Its value before."),
        Supporting(_TOOL, _NEW, "Its value now."),
        Supporting(_TOOL, _DEFAULT, "The server's own default."),
        Supporting(_TOOL, _SYMPTOM, "The metric that shows what it does to clients."),
        Supporting(_TOOL, _NOW, "That metric now."),
        Supporting(_TOOL, _BEFORE, "That metric before the change."),
        Supporting(_TOOL, _AT, "When it was changed."),
    )

    def summary(self, facts: Facts) -> str:
        """Which variable, from what to what, with which effect."""
        if not facts.value(_NOW):
            return facts.fallback
        return f"{facts.entity('cause', 'variable')} was changed{_values(facts)}: {_effect(facts)}."

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """The change → what clients feel."""
        if not facts.value(_NOW):
            return ()
        return (
            Link(
                f"{facts.entity('cause', 'variable')} was changed{_values(facts)}.",
                (_VARIABLE, _OLD, _NEW, _DEFAULT, _AT),
            ),
            Link(f"Since then {_effect(facts)}.", (_SYMPTOM, _NOW, _BEFORE)),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """Ask who changed it, then take it back."""
        variable = facts.entity("cause", "variable")
        if not _NAME.fullmatch(variable):
            return ()
        steps = [
            Step(
                "See the value in force, and look in the deployment's and operators' records for who set it and why.",
                NO_RISK,
                f"SHOW GLOBAL VARIABLES LIKE '{variable}'",
            )
        ]
        former = facts.value(_OLD) or facts.value(_DEFAULT)
        if _NUMBER.fullmatch(former):
            steps.append(
                Step(
                    f"Set it back. It takes effect for new sessions; those that are open may keep the value that they "
                    f"began with. Before: note {facts.value(_SYMPTOM).replace('_', ' ')}. After: it falls back to what "
                    "it was. Correct the configuration file too, or a restart brings the value back.",
                    MEDIUM_RISK,
                    f"SET GLOBAL {variable} = {former}",
                )
            )
        return tuple(steps)


def _values(facts: Facts) -> str:
    old, new = facts.value(_OLD), facts.value(_NEW)
    return (f" from {old}" if old else "") + (f" to {new}" if new else "")


def _effect(facts: Facts) -> str:
    before = f", {facts.number(_BEFORE):.1f} before" if facts.value(_OLD) and facts.value(_BEFORE) else ""
    return f"{facts.value(_SYMPTOM).replace('_', ' ')} is {facts.number(_NOW):.1f}{before}"
