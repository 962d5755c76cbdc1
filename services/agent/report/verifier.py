"""Check what a reasoner claims against what was recorded; strike what fails, and say how sure that leaves us.

A cause is *confirmed* when its kind is in the catalogue with required evidence, all of that evidence stands in the
newest recorded answers about its instance with the claimed things in the claimed parts, none of them much older than
the last reading, every required entity is named, and the shard's own detectors found the same kind there, with the same
holder or cause, as more than a remark. With less it is likely at most; with nothing, or where the detectors say that
something else brings it about, it is struck.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from libs.core.catalogue import CATALOGUE, EntityRole
from services.agent.explained import explained_by
from services.agent.records import Record, Records
from services.agent.report.draft import DraftCause, EntityClaim
from services.agent.report.leaves import leaf_values
from services.agent.report.matching import BESIDE, Citation, Element, Group, matched
from services.agent.timestamps import epoch_seconds
from storex.diagnostics.v1 import finding_pb2

_MAX_CITED_ELEMENTS = 5
"""Elements of one list whose values are cited; a thousand waiters need not all be printed."""
_MAX_VICTIMS = 50
"""Entities of one role and type that a report names."""
UNCONFIRMED = 0.6
"""Most confidence that a cause without all of its required evidence can have."""

STALE_SECONDS = 60.0
"""So much older than the newest reading of its instance a reading may be, and still confirm: locks come and go."""
_SINGLE = ("holder", "cause")
"""Roles in which a finding and a claim about the same thing name the same."""

_LEAVES = {
    "connection_id": ("connection_id",),
    "user": ("user",),
    "host": ("host",),
    "program": ("program",),
    "schema": ("schema",),
    "table": ("table", "tables"),
    "index": ("index",),
    "statement_digest": ("digest",),
}
"""The field names under which a value of an entity type stands in answers."""


@dataclass(frozen=True, slots=True)
class Strike:
    """A claim that was taken out, and why; the reason is PUBLIC."""

    claim: str
    reason: str


@dataclass(slots=True)
class VerifiedCause:
    """A cause with what stands of it.

    `missing` says, in sentences, what keeps it from being confirmed. `finding` is the shard's own, with its record.
    """

    cause: DraftCause
    elements: dict[Group, list[Element]]
    citations: list[Citation]
    missing: list[str] = field(default_factory=list)
    finding: tuple[Record, int, finding_pb2.Finding] | None = None

    @property
    def confirmed(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing

    @property
    def all_elements(self) -> list[Element]:
        """Every element that shows the cause."""
        return [element for found in self.elements.values() for element in found]

    def cap_confidence(self, most: float) -> None:
        """Be no surer than so."""
        self.cause = replace(self.cause, confidence=min(self.cause.confidence, most))


def verify(cause: DraftCause, records: Records) -> tuple[VerifiedCause | None, list[Strike]]:
    """What stands of a cause (None when nothing does) and what was struck."""
    claim = f"{cause.kind} on {cause.name}"
    if cause.kind not in CATALOGUE:
        return None, [Strike("a cause of unknown kind", "the root-cause catalogue has no such id")]
    found = matched(cause, records)
    finding = finding_of(cause, records)
    if finding is None and not any(found.values()):
        return None, [Strike(claim, "no recorded answer shows it")]
    if finding is not None and (behind := _explained_by(finding)):
        return None, [Strike(claim, f"the shard's detectors found it to be a consequence of {behind}")]
    entities, strikes = _check_entities(cause, found, finding)
    kept = replace(cause, entities=_in_order_of(found, entities))
    verified = VerifiedCause(kept, found, _citations(found), finding=finding)
    verified.missing = [*_missing(verified), *_stale(verified, records)]
    verified.cap_confidence(finding[2].confidence if finding is not None and verified.confirmed else UNCONFIRMED)
    return verified, strikes


def same_cause(one: VerifiedCause, other: VerifiedCause) -> bool:
    """Whether two claims are about the same: the same finding, or where one has none, the same things in one place."""
    if (one.cause.kind, one.cause.name) != (other.cause.kind, other.cause.name):
        return False
    if one.finding is not None and other.finding is not None:
        return one.finding[1] == other.finding[1]
    return _names_the_same(one.cause, other.cause)


def _names_the_same(one: DraftCause, other: DraftCause) -> bool:
    """Whether no required part that both name tells them apart; victims do so only where nothing else is required."""
    required = [part for part in CATALOGUE[one.kind].entities if part.required]
    telling = [part for part in required if part.role != "victim"] or required
    values = [[set(it.values(part.role, part.type)) for part in telling] for it in (one, other)]
    compared = [(mine, theirs) for mine, theirs in zip(*values, strict=True) if mine and theirs]
    if compared:
        return all(mine & theirs for mine, theirs in compared)
    named = [{(e.role, e.type, e.value) for e in it.entities if e.role in _SINGLE} for it in (one, other)]
    return bool(named[0] & named[1]) or not all(named)


def finding_of(cause: DraftCause, records: Records) -> tuple[Record, int, finding_pb2.Finding] | None:
    """The shard's finding of that kind on that instance whose entities fit the claimed ones best."""
    record = records.health().get(cause.name)
    if record is None or record.health is None:
        return None
    claimed = {(entity.role, entity.type, entity.value) for entity in cause.entities}
    fitting = [
        (len(claimed & {(entity.role, entity.type, entity.value) for entity in finding.entities}), -position, finding)
        for position, finding in enumerate(record.health.findings)
        if finding.kind == cause.kind
    ]
    if not fitting:
        return None
    _, position, finding = max(fitting, key=lambda entry: entry[:2])
    return record, -position, finding


def _explained_by(finding: tuple[Record, int, finding_pb2.Finding]) -> str:
    """The kind of the finding of the same answer that explains this one, or empty."""
    record, _, found = finding
    behind = explained_by(record.health.findings if record.health is not None else ()).get(found.id)
    return behind.kind if behind is not None and found.id else ""


def _in_order_of(found: dict[Group, list[Element]], entities: list[EntityClaim]) -> tuple[EntityClaim, ...]:
    """The entities, of each part those first that the evidence shows first: a sentence about it cites its figures."""
    order: dict[tuple[str, str, str], int] = {}
    for group, shown in found.items():
        anchors = [(required.entity, required.path) for required in group.required if required.entity is not None]
        for element in shown:
            for part, path in anchors:
                if (citation := element.cite(path)) is not None:
                    order.setdefault((part.role, part.type, citation.value), len(order))
    ranked = sorted(entities, key=lambda e: order.get((e.role, e.type, e.value), len(order)))
    by_part = {
        (e.role, e.type): iter([other for other in ranked if (other.role, other.type) == (e.role, e.type)])
        for e in entities
    }
    return tuple(next(by_part[e.role, e.type]) for e in entities)


def _stale(verified: VerifiedCause, records: Records) -> list[str]:
    """What of the evidence was read long before the newest reading of the same instance."""
    name = verified.cause.name
    moments = [record.observed_at for record in records if record.name == name]
    newest = max((epoch_seconds(moment) for moment in moments if moment is not None), default=0.0)
    used = {element.record.call_id: element.record for element in verified.all_elements}
    if verified.finding is not None:
        used[verified.finding[0].call_id] = verified.finding[0]
    return [
        f"{record.tool} was read {newest - read:.0f} s before the newest reading"
        for record in used.values()
        if record.observed_at is not None and newest - (read := epoch_seconds(record.observed_at)) > STALE_SECONDS
    ]


def _missing(verified: VerifiedCause) -> list[str]:
    cause = verified.cause
    entry = CATALOGUE[cause.kind]
    missing = [
        f"{entity.role} {entity.type} is not known"
        for entity in entry.entities
        if entity.required and not cause.values(entity.role, entity.type)
    ]
    if not entry.evidence:
        missing.append("the catalogue does not say yet what would confirm it")
    missing += [
        f"{group.tool} did not show it when read again" for group, found in verified.elements.items() if not found
    ]
    if verified.finding is None:
        return [*missing, "the shard's detectors did not find it"]
    finding = verified.finding[2]
    if finding.severity <= finding_pb2.SEVERITY_INFO:
        missing.append("the shard's detectors only remark on it")
    for part in (entity for entity in entry.entities if entity.required and entity.role in _SINGLE):
        named = {other.value for other in finding.entities if (other.role, other.type) == (part.role, part.type)}
        if named and not named & set(cause.values(part.role, part.type)):
            missing.append(f"the shard's detectors found it with another {part.role}")
    return missing


def _check_entities(
    cause: DraftCause,
    found: dict[Group, list[Element]],
    finding: tuple[Record, int, finding_pb2.Finding] | None,
) -> tuple[list[EntityClaim], list[Strike]]:
    allowed = {(entity.role, entity.type) for entity in CATALOGUE[cause.kind].entities}
    # Once for each part: hundreds of victims are found in as many elements.
    parts = allowed & {(entity.role, entity.type) for entity in cause.entities}
    shown = {part: _values_in_part(EntityRole(*part), found) for part in parts}
    kept: list[EntityClaim] = []
    strikes: list[Strike] = []
    for entity in dict.fromkeys(cause.entities):
        claim = f"{entity.role} {entity.type}"
        if (entity.role, entity.type) not in allowed:
            strikes.append(Strike(claim, f"{cause.kind} has no such part"))
        elif not _is_recorded(entity, shown[entity.role, entity.type], finding):
            strikes.append(Strike(f"{claim} {entity.value}", "no recorded answer shows it in that part"))
        elif sum((other.role, other.type) == (entity.role, entity.type) for other in kept) < _MAX_VICTIMS:
            kept.append(entity)
    return kept, strikes


def _is_recorded(
    entity: EntityClaim,
    shown: set[str],
    finding: tuple[Record, int, finding_pb2.Finding] | None,
) -> bool:
    """Whether a recorded answer shows the entity in its part, which the matched elements show to be `shown`.

    Where required evidence for the entity was found, the entity must be in it. Without any, what the shard's finding
    names is a recorded answer too, though not one that confirms.
    """
    if shown:
        return entity.value in shown
    return finding is not None and any(
        (named.role, named.type, named.value) == (entity.role, entity.type, entity.value)
        for named in finding[2].entities
    )


def _values_in_part(part: EntityRole, found: dict[Group, list[Element]]) -> set[str]:
    """The values that the matched elements show for a role and type."""
    values: set[str] = set()
    for group, shown in found.items():
        anchors = [required for required in group.required if required.entity is not None]
        own = [a for a in anchors if a.entity and (a.entity.role, a.entity.type) == (part.role, part.type)]
        for element in shown:
            if own:
                values |= {citation.value for a in own if (citation := element.cite(a.path))}
            elif part.type in BESIDE:
                values |= _owner_values(part, element)
            elif part.type != "connection_id":
                values |= _leaf_values(part.type, element)
    return values


def _owner_values(part: EntityRole, element: Element) -> set[str]:
    """User, host or program right beside the value that anchors the same role, never of another session."""
    beside = {
        required.path.rpartition(".")[0]
        for required in element.group.required
        if required.entity is not None and required.entity.role == part.role
    }
    citations = [element.cite(f"{parent}.{part.type}" if parent else part.type) for parent in beside]
    return {citation.value for citation in citations if citation is not None and citation.value}


def _leaf_values(type_: str, element: Element) -> set[str]:
    """Values of that type anywhere in the element, also with the schema or table that qualifies them put in front."""
    names = _LEAVES.get(type_, ())
    fields = leaf_values(element.record.message, element.path)
    values: set[str] = set()
    for path, value in fields.items():
        parent, _, leaf = path.rpartition(".")
        if leaf.partition("[")[0] not in names or not value:
            continue
        values.add(value)
        qualifiers = (fields.get(f"{parent}.{name}" if parent else name) for name in ("table", "schema"))
        values |= {f"{qualifier}.{value}" for qualifier in qualifiers if qualifier}
    return values


def _citations(found: dict[Group, list[Element]]) -> list[Citation]:
    cited: list[Citation] = []
    for group, shown in found.items():
        for element in shown[:_MAX_CITED_ELEMENTS]:
            citations = (element.cite(required.path) for required in group.required)
            cited += [citation for citation in citations if citation is not None]
    return cited
