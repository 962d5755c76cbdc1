"""Who keeps a FLUSH TABLES waiting, read from the statements that run."""

from __future__ import annotations

from typing import Any

import pytest

from services.shard.facts.flush_waits import STATE, flush_edges
from storex.diagnostics.v1 import diagnostics_pb2
from storex.diagnostics.v1.session_pb2 import Session, Statement

METADATA, GLOBAL = diagnostics_pb2.LOCK_KIND_METADATA, diagnostics_pb2.LOCK_KIND_GLOBAL


def session(number: int, sql: str, seconds: float, state: str = "executing", **changes: Any) -> Session:
    fields: dict[str, Any] = {"user": "app", "schema": "shop", "command": "Query", **changes}
    return Session(connection_id=number, state=state, seconds=seconds, statement=Statement(digest_text=sql), **fields)


REPORT = session(1, "SELECT note FROM orders o JOIN parts p ON o.part = p.id", 90.0)


def edges(*sessions: Session) -> list[tuple[int, int, int, str]]:
    found = flush_edges({one.connection_id: one for one in sessions})
    return [(edge.waiter, edge.blocker, edge.kind, edge.table) for edge in found]


@pytest.mark.parametrize(
    ("flush", "kind"),
    [
        ("FLUSH TABLES orders", METADATA),
        ("FLUSH LOCAL TABLES other.things, `shop`.`orders` WITH READ LOCK", METADATA),
        ("flush table orders FOR EXPORT", METADATA),
        ("FLUSH TABLES", METADATA),
        ("FLUSH TABLES WITH READ LOCK", GLOBAL),
    ],
)
def test_it_waits_for_the_older_statement_and_so_do_later_ones(flush: str, kind: int) -> None:
    waiting = session(2, flush, 5.0, STATE)
    reader = session(3, "SELECT id FROM orders WHERE id = ?", 2.0, STATE)
    found = edges(REPORT, waiting, reader)
    assert found == [(2, 1, kind, "shop.orders"), (3, 1, METADATA, "shop.orders")]


@pytest.mark.parametrize(
    "innocent",
    [
        session(4, "SELECT id FROM orders", 1.0),
        session(4, "SELECT id FROM customers", 90.0),
        session(4, "SELECT id FROM orders", 90.0, schema="archive"),
        session(4, "", 90.0, command="Sleep"),
        session(4, "SELECT id FROM orders", 90.0, command="Binlog Dump", user="system user"),
        session(4, "SELECT id FROM orders", 90.0, STATE),
    ],
)
def test_others_are_not_held_to_account(innocent: Session) -> None:
    waiting = session(2, "FLUSH TABLES orders", 5.0, STATE)
    assert 4 not in {blocker for _, blocker, _, _ in edges(REPORT, waiting, innocent)}


def test_where_nobody_waits_for_a_flush_nothing_is_looked_up() -> None:
    assert edges(REPORT, session(2, "FLUSH TABLES orders", 5.0)) == []
