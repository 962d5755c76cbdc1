"""Statements that the engine does not count, or not apart: what limits every answer that is made of digests."""

from __future__ import annotations

from services.shard.mysql.source import ResultSets
from services.shard.mysql.statements import Statement
from services.shard.sight import costs
from services.shard.sight.spots import blind_spots
from storex.common.v1 import entity_pb2

COUNTING_STATEMENTS = (Statement.INSTRUMENTATION, Statement.SIGHT_SETTINGS)
"""What `uncounted_statements` wants to have been read."""

_PLACES = (costs.STATEMENT_INSTRUMENTS, costs.ACTORS, costs.DIGEST_TEXT)


def uncounted_statements(results: ResultSets) -> list[entity_pb2.Limit]:
    """A limit for each blind spot that keeps statements out of the digests, or mixes them up, with what mends it."""
    return [
        entity_pb2.Limit(
            source=spot.source,
            code=spot.code,
            message=spot.message,
            remedy=" ".join(
                [*(f"{remedy.statement}." for remedy in spot.remedies[:1] if remedy.statement)]
                or [f"Set {line} in the server's configuration." for line in spot.remedies[0].configuration]
            ),
        )
        for spot in blind_spots(results)
        if (spot.source, spot.code) in _PLACES
    ]
