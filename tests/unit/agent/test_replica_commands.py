"""Commands for replicas are those of the engine and of the channel, or none."""

from __future__ import annotations

import pytest

from services.agent.report.causes.cause import Facts
from services.agent.report.causes.replica_commands import see, start
from services.agent.report.draft import DraftCause, EntityClaim


def facts(engine: str, channel: str) -> Facts:
    cause = DraftCause(
        "replication.stopped", "regions/r/instances/i", 0.9, (EntityClaim("affected", "channel", channel),)
    )
    return Facts(cause, (), engine)


@pytest.mark.parametrize(
    ("engine", "channel", "started", "seen"),
    [
        ("MySQL", "default", "START REPLICA SQL_THREAD", "SHOW REPLICA STATUS"),
        ("MySQL", "we's", "START REPLICA SQL_THREAD FOR CHANNEL 'we''s'", "SHOW REPLICA STATUS FOR CHANNEL 'we''s'"),
        ("MariaDB", "default", "START REPLICA SQL_THREAD", "SHOW REPLICA STATUS"),
        ("MariaDB", "west", "START REPLICA 'west' SQL_THREAD", "SHOW REPLICA 'west' STATUS"),
        ("MariaDB", "a\\b", "", ""),
    ],
)
def test_a_channel_is_addressed_as_its_engine_wants_it(engine: str, channel: str, started: str, seen: str) -> None:
    assert start(facts(engine, channel), "SQL_THREAD") == started
    assert see(facts(engine, channel)).command == seen
