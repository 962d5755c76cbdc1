"""What a server may or may not let Storex see, and for each gap the limit that tells its cost and its remedy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from storex.common.v1 import entity_pb2


@dataclass(frozen=True, slots=True)
class Gap:
    """Why something cannot be seen: the fields of a `Limit`."""

    source: str
    code: str
    message: str
    remedy: str

    def limit(self) -> entity_pb2.Limit:
        """The gap as an answer carries it."""
        return entity_pb2.Limit(source=self.source, code=self.code, message=self.message, remedy=self.remedy)


class Feature(Enum):
    """Something that statements need; the value is the capability's name."""

    PROCESS_PRIVILEGE = "process_privilege"
    PERFORMANCE_SCHEMA = "performance_schema"
    PERFORMANCE_SCHEMA_PRIVILEGE = "performance_schema_privilege"
    INSTRUMENTATION = "instrumentation"
    STATEMENT_DIGESTS = "statement_digests"
    SESSION_STATEMENTS = "session_statements"
    METADATA_LOCKS = "metadata_locks"
    REPLICATION_PRIVILEGE = "replication_privilege"
    TABLES_PRIVILEGE = "tables_privilege"


GAPS: dict[Feature, Gap] = {
    Feature.PROCESS_PRIVILEGE: Gap(
        "process",
        "PRIVILEGE_MISSING",
        "Storex sees its own sessions only: no others, no transactions, no row locks and no InnoDB monitor.",
        "GRANT PROCESS ON *.* to Storex's database account.",
    ),
    Feature.PERFORMANCE_SCHEMA: Gap(
        "performance_schema",
        "PERFORMANCE_SCHEMA_OFF",
        "No statement digests, client programs, last statements or metadata locks; statements are sampled instead.",
        "Set performance_schema=ON in the server's configuration and restart the server.",
    ),
    Feature.PERFORMANCE_SCHEMA_PRIVILEGE: Gap(
        "performance_schema",
        "PRIVILEGE_MISSING",
        "No statement digests, client programs, last statements or metadata locks; statements are sampled instead.",
        "GRANT SELECT ON performance_schema.* to Storex's database account.",
    ),
    Feature.INSTRUMENTATION: Gap(
        "performance_schema",
        "INSTRUMENTATION_OFF",
        "The performance schema is on, but told to watch nothing, or nothing by session: digests stand still.",
        "UPDATE performance_schema.setup_consumers SET ENABLED='YES'"
        " WHERE NAME IN ('global_instrumentation', 'thread_instrumentation').",
    ),
    Feature.STATEMENT_DIGESTS: Gap(
        "statement_digests",
        "STATEMENT_DIGESTS_OFF",
        "Statements are not counted by digest; they are sampled instead.",
        "UPDATE performance_schema.setup_consumers SET ENABLED='YES' WHERE NAME='statements_digest'.",
    ),
    Feature.SESSION_STATEMENTS: Gap(
        "session_statements",
        "STATEMENT_HISTORY_OFF",
        "The last statement of an idle session is not known.",
        "UPDATE performance_schema.setup_consumers SET ENABLED='YES' WHERE NAME='events_statements_current'.",
    ),
    Feature.METADATA_LOCKS: Gap(
        "metadata_locks",
        "METADATA_LOCK_INSTRUMENT_OFF",
        "Metadata lock waits are seen, but not who holds the lock.",
        "UPDATE performance_schema.setup_instruments SET ENABLED='YES' WHERE NAME='wait/lock/metadata/sql/mdl'.",
    ),
    Feature.REPLICATION_PRIVILEGE: Gap(
        "replication",
        "PRIVILEGE_MISSING",
        "Whether the server is a replica cannot be seen.",
        "GRANT REPLICA MONITOR (MariaDB) or REPLICATION CLIENT (MySQL) ON *.* to Storex's database account.",
    ),
    Feature.TABLES_PRIVILEGE: Gap(
        "tables",
        "PRIVILEGE_MISSING",
        "The applications' tables cannot be seen: neither used-up auto-increment columns nor full tables.",
        "GRANT REFERENCES ON *.* to Storex's database account.",
    ),
}
"""The gap that the absence of each feature leaves."""

_READABLE = (Feature.PERFORMANCE_SCHEMA, Feature.PERFORMANCE_SCHEMA_PRIVILEGE)
DEPENDS_ON: dict[Feature, tuple[Feature, ...]] = {
    Feature.INSTRUMENTATION: _READABLE,
    **dict.fromkeys(
        (Feature.STATEMENT_DIGESTS, Feature.SESSION_STATEMENTS, Feature.METADATA_LOCKS),
        (*_READABLE, Feature.INSTRUMENTATION),
    ),
}
"""Features that another one needs first: where those are missing, they alone are worth telling."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one server is, and which features it offers to this account."""

    engine: str
    version: str
    available: frozenset[Feature]

    @property
    def version_number(self) -> tuple[int, ...]:
        """The numbers that the version starts with, for example (10, 11, 6)."""
        found = re.match(r"\d+(?:\.\d+)*", self.version)
        return tuple(int(part) for part in found[0].split(".")) if found else ()

    def missing(self, needed: Feature) -> Feature | None:
        """The first feature that is missing for `needed`, itself included; None where all are there."""
        for feature in (*DEPENDS_ON.get(needed, ()), needed):
            if feature not in self.available:
                return feature
        return None

    def has(self, feature: Feature) -> bool:
        """Whether the feature and all that it depends on are there."""
        return self.missing(feature) is None

    def gaps(self) -> list[Gap]:
        """Every gap worth telling, each once, the one that others follow from in their place."""
        missing = [self.missing(feature) for feature in Feature]
        return [GAPS[feature] for feature in dict.fromkeys(missing) if feature is not None]
