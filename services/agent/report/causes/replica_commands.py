"""How replicas are asked and told, by engine and channel."""

from __future__ import annotations

from services.agent.report.causes.cause import NO_RISK, Facts, Step
from services.agent.report.sql import quoted_string

_DEFAULT_CHANNEL = "default"
"""How the shard calls the channel without a name."""
OLD_WORDS = "MySQL before 8.0.22 says SLAVE in the place of REPLICA."


def start(facts: Facts, thread: str = "") -> str:
    """START REPLICA for the channel; `thread` is `SQL_THREAD`, `IO_THREAD` or empty for both."""
    return _addressed(facts, " ".join(filter(None, ("START REPLICA", thread))), "START REPLICA")


def see(facts: Facts) -> Step:
    """Look at the replica's status."""
    return Step(
        "See the channel's whole status, the error's text included, which Storex does not take out of the region. "
        + OLD_WORDS,
        NO_RISK,
        _addressed(facts, "SHOW REPLICA STATUS", "SHOW REPLICA"),
    )


def _addressed(facts: Facts, command: str, verb: str) -> str:
    """The command for the channel; empty where its name cannot stand in a command."""
    channel = facts.entity("affected", "channel")
    if channel in ("", _DEFAULT_CHANNEL):
        return command
    name = quoted_string(channel)
    if name is None:
        return ""
    if facts.engine == "MariaDB":  # the name comes right after the verb and its object, before what is left of them
        return f"{verb} {name}{command.removeprefix(verb)}"
    return f"{command} FOR CHANNEL {name}"
