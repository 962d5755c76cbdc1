"""Which finding explains which: one table, read the same way for all of them.

A root cause is the most specific id that no other finding explains. A relation holds between two findings that share
what the table says, and never the other way round: from cause to effect the table has no circle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from libs.core.catalogue import AFFECTED, CAUSE, HOLDER, VICTIM
from services.shard.facts.variable_symptoms import SYMPTOMS
from storex.diagnostics.v1 import finding_pb2

Part = tuple[str, str]
"""A role and an entity type."""

STATEMENT: Part = (CAUSE, "statement_digest")
HOLDING: Part = (HOLDER, "connection_id")
OWNER: Part = (HOLDER, "user")
TABLE: Part = (AFFECTED, "table")
VARIABLE: Part = (CAUSE, "variable")
CHANGING: Part = (CAUSE, "connection_id")
WAITING: Part = (VICTIM, "connection_id")
ERROR: Part = (CAUSE, "error_code")


@dataclass(frozen=True, slots=True)
class Relation:
    """Findings of the kind `cause` explain those of the kind `effect` that share a value of the part `shared`.

    Without a part nothing needs to be shared. `weight` is the least share of the effect's impact that the cause's own
    has to reach, for effects that many things could bring about. `errors` are the codes that an effect which names one
    must name; not every engine shows them: one that names none has to share a table or a statement then, unless the
    cause is one `of_all` that the server is asked to do. `variables` are those that an effect may name, where it is of
    no others. `shared_as` is the part of the effect where it plays another role there.
    """

    cause: str
    effect: str
    shared: Part | None = None
    weight: float = 0.0
    errors: frozenset[str] = frozenset()
    shared_as: Part | None = None
    of_all: bool = False
    variables: frozenset[str] = frozenset()

    def holds(self, cause: finding_pb2.Finding, effect: finding_pb2.Finding) -> bool:
        """Whether one explains the other."""
        if (cause.kind, effect.kind) != (self.cause, self.effect) or cause.impact < self.weight * effect.impact:
            return False
        if self.variables and not _values(effect, VARIABLE) <= self.variables:
            return False
        named = _values(effect, ERROR)
        if self.errors and named and not named <= self.errors:
            return False
        if self.errors and not named and not self.of_all:
            return any(_values(cause, part) & _values(effect, part) for part in (TABLE, STATEMENT))
        part = self.shared_as or self.shared
        return self.shared is None or part is None or bool(_values(cause, self.shared) & _values(effect, part))


def _values(finding: finding_pb2.Finding, part: Part) -> set[str]:
    return {found.value for found in finding.entities if (found.role, found.type) == part}


def _each(causes: Sequence[str], effect: str, shared: Part | None = None, weight: float = 0.0) -> tuple[Relation, ...]:
    return tuple(Relation(cause, effect, shared, weight) for cause in causes)


_MAKE_FAIL = frozenset(name for name, symptom in SYMPTOMS.items() if not symptom.counters)
"""Variables of which it is felt that statements fail: they may fail for another reason, and do where one is found."""


def _failing(
    causes: Sequence[str], errors: str, shared: Part | None = None, *, of_all: bool = False
) -> tuple[Relation, ...]:
    """What makes statements fail with these errors also makes clients try again."""
    codes = frozenset(errors.split())
    return tuple(Relation(cause, "traffic.retry_storm", shared, errors=codes, of_all=of_all) for cause in causes)


RELATIONS: tuple[Relation, ...] = (
    # One session that blocks in several ways: the widest is what it is told as.
    *_each(("lock.metadata", "lock.global_read"), "lock.row_blocker", HOLDING),
    Relation("lock.global_read", "lock.metadata", HOLDING),
    # A statement that locks all that it reads holds what others need for as long as its transaction lasts.
    *_each(("lock.unindexed_write", "query.missing_index"), "lock.row_blocker", STATEMENT),
    Relation("lock.unindexed_write", "lock.deadlock", TABLE),
    Relation("lock.unindexed_write", "lock.hot_row", TABLE),
    Relation("lock.deadlock", "lock.hot_row", TABLE),
    # What a statement costs, by the most that is known of why.
    *_each(("lock.unindexed_write", "query.plan_regression", "query.temp_spill"), "query.missing_index", STATEMENT),
    *_each(("query.plan_regression", "query.temp_spill", "query.missing_index"), "query.heavy_scan", STATEMENT),
    Relation("query.plan_regression", "query.temp_spill", STATEMENT),
    Relation("query.plan_regression", "lock.unindexed_write", STATEMENT),
    Relation("traffic.n_plus_one", "traffic.spike", STATEMENT),
    # More of a statement that costs much, or that queues, is told as what makes it so; more commits as what each costs.
    *_each(("query.missing_index", "query.plan_regression", "query.temp_spill"), "traffic.spike", STATEMENT),
    *_each(("lock.hot_row", "lock.unindexed_write"), "traffic.spike", STATEMENT),
    Relation("innodb.flush_per_commit", "traffic.spike"),
    *_failing(
        (
            "lock.row_blocker",
            "lock.metadata",
            "lock.global_read",
            "lock.hot_row",
            "lock.unindexed_write",
            "maintenance.ddl",
        ),
        "1205 1213 3572 1969 3024",  # waited for too long, not at all, or for longer than a statement may take
    ),
    *_failing(("lock.deadlock",), "1213 1205"),
    *_failing(("config.read_only", "lock.global_read"), "1290 1792 1836 1223", of_all=True),
    *_failing(("capacity.table_full",), "1114", TABLE),
    *_failing(("capacity.auto_increment",), "167 1062 1264 1467", TABLE),
    *_failing(
        ("config.change",),
        "1153 1301 1969 3024 1038 1040 1203 1226 1055 1104 1175 1205 1264 1265 1292 1364 1366 1406 1411 1461",
    ),
    # A commit that waits for room in the log waits for more than its flush.
    Relation("innodb.redo_stall", "innodb.flush_per_commit"),
    # A statement that reads much by itself, and suddenly comes many times as often.
    Relation("traffic.spike", "query.heavy_scan", STATEMENT),
    # A change of a table that is at work, and not one that waits, is why its session holds the lock.
    Relation("maintenance.ddl", "lock.metadata", CHANGING, shared_as=HOLDING),
    Relation("maintenance.ddl", "lock.row_blocker", CHANGING, shared_as=HOLDING),
    Relation("maintenance.ddl", "replication.lag"),
    # An applier waits for locks like anybody else.
    *_each(("lock.row_blocker", "lock.metadata", "lock.global_read"), "replication.lag", WAITING),
    # A change of a variable is told as itself only where nothing more specific names the variable.
    *_each(
        (
            "config.read_only",
            "innodb.buffer_pool",
            "innodb.flush_per_commit",
            "innodb.redo_stall",
            "query.temp_spill",
            "connections.exhausted",
        ),
        "config.change",
        VARIABLE,
    ),
    *(
        Relation(cause, "config.change", variables=_MAKE_FAIL)
        for cause in (
            "lock.row_blocker",
            "lock.metadata",
            "lock.global_read",
            "lock.hot_row",
            "lock.unindexed_write",
            "lock.deadlock",
            "maintenance.ddl",
            "config.read_only",
            "capacity.table_full",
            "capacity.auto_increment",
        )
    ),
    # Whatever keeps sessions busy or waiting uses up connections.
    Relation("connections.leak", "connections.exhausted", OWNER),
    *_each(
        (
            "lock.row_blocker",
            "lock.metadata",
            "lock.global_read",
            "lock.hot_row",
            "lock.unindexed_write",
            "maintenance.ddl",
            "query.missing_index",
            "query.plan_regression",
            "query.heavy_scan",
        ),
        "connections.exhausted",
        weight=0.5,
    ),
    # The detector tells nothing where the connections themselves are the matter.
    Relation("traffic.spike", "connections.exhausted"),
)
"""Every relation; the order does not matter."""


def explains(cause: finding_pb2.Finding, effect: finding_pb2.Finding) -> bool:
    """Whether one finding explains another of the same instance."""
    return any(relation.holds(cause, effect) for relation in RELATIONS)
