"""What happens on a source and explains what its replica shows: the replica lags because the primary's batch …

The detectors explain within an instance; here findings and readings of two instances are put together, by what both
name: the table that the applier is at work on, or the error that the source answered. Without that the source's own
troubles are a coincidence and are not told as the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

from services.agent.explained import explained_by
from services.agent.records import ERROR as FAILED
from services.agent.records import Record, Records
from services.agent.report.matching import Citation, cite
from services.agent.topology import Followed, followed
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2
from storex.diagnostics.v1.replication_pb2 import GetReplicationResponse

LAG, ERROR = "replication.lag", "replication.error"
Key: TypeAlias = tuple[str, str, str]
"""Kind, instance and id of a finding: an instance has several of a kind where it replicates by several channels."""

SOURCE_NOT_SEEN = "SOURCE_NOT_SEEN"
TOO_MANY_CONNECTIONS = 1040
"""The server's error number where it takes no further connection."""

_BY_TABLE = frozenset(
    ("lock.unindexed_write", "query.missing_index", "query.plan_regression", "query.heavy_scan", "traffic.spike")
)
"""Kinds that, told of a statement that writes, say why the source writes so much to a table."""
_WRITES = re.compile(r"\W*(insert|update|delete|replace|load|alter|optimize|create)\b", re.IGNORECASE)
_SCHEMA_CHANGES = ("ALTER", "OPTIMIZE", "CREATE")
_MANY_ROWS = 1000
_MOST = 0.5
"""Share of all rows changed that tells which statement keeps a replica busy, where its table is not known."""


@dataclass(frozen=True, slots=True)
class Write:
    """A statement that changes rows or schema, at `place` of the source's answer of top queries."""

    record: Record
    place: int
    query: diagnostics_pb2.QueryStats
    verb: str
    share: float
    """Its part of all rows that statements changed there, from 0 to 1; 0 where rows are not counted."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """A replica's finding, at `position` of its health, and what of its source explains it.

    `cause` is the source's own finding with its position, `write` what it writes. With neither the source is seen and
    nothing there explains the finding, or it is not seen.
    """

    health: Record
    position: int
    finding: finding_pb2.Finding
    followed: Followed
    cause: tuple[Record, int, finding_pb2.Finding] | None = None
    write: Write | None = None

    @property
    def replica(self) -> str:
        """The replica's name."""
        return self.health.name

    @property
    def key(self) -> Key:
        """The replica's finding."""
        return key_of(self.replica, self.finding)

    @property
    def cause_key(self) -> Key | None:
        """The source's finding that explains the replica's."""
        return key_of(self.cause[0].name, self.cause[2]) if self.cause is not None else None


def key_of(name: str, finding: finding_pb2.Finding) -> Key:
    """What tells a finding of the instance `name` from all others."""
    return finding.kind, name, finding.id


def upstream(records: Records) -> list[Upstream]:
    """Each channel's finding on a replica with what of its source is known."""
    channels = {(one.replica, one.channel.channel): one for one in followed(records)}
    found = []
    for health in records.health().values():
        findings = list(health.health.findings) if health.health is not None else []
        explained = explained_by(findings)
        for position, finding in enumerate(findings):
            if finding.kind not in (LAG, ERROR) or finding.id in explained:
                continue
            channel = next((channels.get((health.name, value)) for value in _values(finding, "channel")), None)
            if channel is not None:
                found.append(_explained(Upstream(health, position, finding, channel), records))
    return _without_circles(found)


def _without_circles(found: list[Upstream]) -> list[Upstream]:
    """Of servers that replicate from each other none is blamed for what comes around to itself."""
    behind = {one.key: one.cause_key for one in found}

    def comes_around(one: Upstream) -> bool:
        key, seen = one.cause_key, {one.key}
        while key is not None and key not in seen:
            seen.add(key)
            key = behind.get(key)
        return key is not None

    return [replace(one, cause=None) if comes_around(one) else one for one in found]


def explained_elsewhere(records: Records) -> dict[Key, Key]:
    """Each finding that one of its source's explains, with that one."""
    return {one.key: one.cause_key for one in upstream(records) if one.cause_key is not None}


def _explained(one: Upstream, records: Records) -> Upstream:
    source = records.health().get(one.followed.source)
    tables = _tables(one)
    write = _write(one.followed.source, tables, records) if one.finding.kind == LAG else None
    cause = _cause(one, source, tables, write) if source is not None else None
    if cause is None and write is not None and not _keeps_busy(write):
        write = None
    return Upstream(one.health, one.position, one.finding, one.followed, cause, write)


def _tables(one: Upstream) -> set[str]:
    """What the replica's appliers are at work on."""
    answer = one.followed.replication.message
    shown = {work.table for work in answer.appliers} if isinstance(answer, GetReplicationResponse) else set()
    return (shown | _values(one.finding, "table")) - {""}


def _cause(
    one: Upstream, source: Record, tables: set[str], write: Write | None
) -> tuple[Record, int, finding_pb2.Finding] | None:
    """The first of the source's findings, the worst ones come first, that explains the replica's."""
    findings = list(source.health.findings) if source.health is not None else []
    explained = explained_by(findings)
    for position, finding in enumerate(findings):
        if finding.severity <= finding_pb2.SEVERITY_INFO or finding.id in explained:
            continue
        if _brings_about(finding, one, tables, write):
            return source, position, finding
    return None


def _brings_about(cause: finding_pb2.Finding, one: Upstream, tables: set[str], write: Write | None) -> bool:
    if one.finding.kind == ERROR:
        return cause.kind == "connections.exhausted" and one.followed.channel.error_code == TOO_MANY_CONNECTIONS
    if cause.kind == LAG:
        # What reaches the source late reaches its own replica later still.
        return bool(_values(cause, "table") & tables) or not tables
    if cause.kind not in _BY_TABLE or write is None:
        return False
    return write.query.statement.digest in _values(cause, "statement_digest")


def _write(source: str, tables: set[str], records: Records) -> Write | None:
    """The statement of the source that keeps the replica busy: on the applier's table, or by far the most there is."""
    record = records.latest("list_top_queries", source) if source else None
    answer = record.message if record is not None else None
    if record is None or not isinstance(answer, diagnostics_pb2.ListTopQueriesResponse):
        return None
    changed = sum(query.rows_affected for query in answer.queries if _verb(query))
    writes = [
        Write(record, place, query, verb, query.rows_affected / changed if changed else 0.0)
        for place, query in enumerate(answer.queries)
        if (verb := _verb(query))
    ]
    fitting = [one for one in writes if (tables & set(one.query.tables) if tables else _dominates(one))]
    return max(fitting, key=lambda one: (one.query.rows_affected, one.query.total_seconds), default=None)


def _keeps_busy(write: Write) -> bool:
    """Whether it alone says why a replica is behind: a change of the schema, or most of what is changed there."""
    return write.verb in _SCHEMA_CHANGES or _dominates(write)


def _dominates(write: Write) -> bool:
    return write.query.rows_affected >= _MANY_ROWS and write.share >= _MOST


def _verb(query: diagnostics_pb2.QueryStats) -> str:
    found = _WRITES.match(query.statement.digest_text)
    return found[1].upper() if found is not None else ""


def _values(finding: finding_pb2.Finding, type_: str) -> set[str]:
    return {entity.value for entity in finding.entities if entity.type == type_ and entity.value}


def told(one: Upstream) -> tuple[str, list[tuple[Citation, str]]] | None:
    """The link from the source to the replica's finding, as a sentence with what it rests on; None where none is."""
    if one.write is not None:
        return _told_write(one, one.write)
    if one.cause is not None:
        record, position, finding = one.cause
        text = f"On {record.name}, which {one.replica} replicates from: {finding.summary}"
        return text, [*_matched(one), *_cited(record, (f"health.findings[{position}].summary", _CONCLUDED))]
    return _told_unreachable(one)


_CONCLUDED = "What the shard's detectors conclude of the source."


def _told_write(one: Upstream, write: Write) -> tuple[str, list[tuple[Citation, str]]]:
    answer, query, at = write.record.message, write.query, f"queries[{write.place}]"
    seconds = answer.window_seconds if isinstance(answer, diagnostics_pb2.ListTopQueriesResponse) else 0.0
    table = f" of {' and '.join(query.tables)}" if query.tables else ""
    if write.verb in _SCHEMA_CHANGES:
        does = f"changes the schema{table} and took {query.total_seconds:.1f} s; its replica spends the same once more"
    elif query.rows_affected:
        share = ", most of what is changed there" if _dominates(write) else ""
        does = f"changed {query.rows_affected:,} rows{table} in {seconds:.0f} s{share}; its replica has to follow"
    else:
        does = f"writes rows{table}, {query.calls:,} times in {seconds:.0f} s; its replica has to follow"
    text = f"On {write.record.name}, which {one.replica} replicates from, {write.verb} {query.statement.digest} {does}."
    figures = (
        (f"{at}.statement.digest", "The source's statement."),
        (f"{at}.rows_affected", "The rows that it changed on the source."),
        (f"{at}.calls", "How often it ran on the source."),
        ("window_seconds", "The time that this was counted over, in seconds."),
    )
    return text, [*_matched(one), *_cited(write.record, *figures)]


def _told_unreachable(one: Upstream) -> tuple[str, list[tuple[Citation, str]]] | None:
    """A receiver in error, and a source that does not answer Storex either."""
    listed = one.followed.listed
    reason = cite(listed, "instance.reason", "") if listed is not None else None
    if one.finding.kind != ERROR or not one.followed.channel.receiver_error_code or reason is None or not reason.value:
        return None
    text = f"{one.followed.source}, which {one.replica} replicates from, does not answer Storex either: {reason.value}."
    return text, [*_matched(one), (reason, "Why the source does not answer.")]


def _matched(one: Upstream) -> list[tuple[Citation, str]]:
    """The values on both sides that show which instance the source is."""
    followed_ = one.followed
    mine = _cited(followed_.replication, (followed_.channel_path, "The source, as the replica knows it."))
    if followed_.listed is None:
        return mine
    theirs = (f"instance.{followed_.matched}", "The same, of the instance itself.")
    return [*mine, *_cited(followed_.listed, theirs)]


def _cited(record: Record, *wanted: tuple[str, str]) -> list[tuple[Citation, str]]:
    citations = ((cite(record, path, path), statement) for path, statement in wanted)
    return [(citation, statement) for citation, statement in citations if citation is not None and citation.value]


_UNSEEN = (
    "It replicates from a server ({known}) that is not among the instances that you may see: whether that one brings"
    " this about was not looked at."
)


_NOT_LISTED = (
    "It replicates from a server ({known}) that could not be looked up, because not every region answered: whether that"
    " one brings this about was not looked at."
)


def unseen_sources(records: Records) -> Iterable[tuple[str, str]]:
    """Replicas with a finding whose source is not among what was listed, each with a PUBLIC sentence about it."""
    listings = [record.status for record in records if record.tool == "list_instances"]
    text = _NOT_LISTED if FAILED in listings else _UNSEEN
    for one in upstream(records) if listings else ():
        if not one.followed.source:
            channel = one.followed.channel
            known = f"server_id {channel.source_server_id}, port {channel.source_port}"
            yield one.replica, text.format(known=known)
