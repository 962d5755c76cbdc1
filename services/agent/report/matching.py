"""Find in a recorded answer what the root-cause catalogue requires, with the right things in the right parts.

A catalogue pattern such as `waiters[*].root_connection_id` ranges over one list. Patterns over the same list must hold
for the *same* element: the connection that waits and the one that it waits for come from one waiter, so a holder and a
victim cannot be swapped, and the rows examined belong to the statement that is blamed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass

from google.protobuf.message import Message

from libs.core.catalogue import CATALOGUE, RequiredEvidence
from libs.sensitivity.paths import PathError, resolve_path
from services.agent.records import Record, Records
from services.agent.report.draft import DraftCause, EntityClaim
from storex.common.v1 import entity_pb2, options_pb2

ANY_POSITION = "[*]"
BESIDE = ("user", "host", "program")
"""Entity types that stand in fields of the same name beside the value that anchors their role."""


@dataclass(frozen=True, slots=True)
class Citation:
    """A value that stands in a recorded answer, and the pattern that it was found by."""

    record: Record
    path: str
    pattern: str
    value: str
    value_class: options_pb2.Sensitivity.ValueType

    def evidence(self, statement: str) -> entity_pb2.Evidence:
        """It as a report shows it, with what it shows in a sentence."""
        return entity_pb2.Evidence(
            tool=self.record.tool,
            path=self.path,
            value=self.value,
            value_class=self.value_class,
            statement=statement,
            observed_at=self.record.observed_at,
            name=self.record.name,
            call_id=self.record.call_id,
        )


@dataclass(frozen=True, slots=True)
class Group:
    """The required evidence of one kind in one list (or, for `prefix` empty, in the top level) of one tool's answer."""

    tool: str
    prefix: str
    required: tuple[RequiredEvidence, ...]


@dataclass(frozen=True, slots=True)
class Element:
    """Where a group was found to hold: `path` is its own, such as `waiters[3]`, or empty for the top level."""

    group: Group
    record: Record
    path: str

    def at(self, pattern: str) -> str:
        """A pattern over the group's list as the path within this element."""
        return pattern.replace(self.group.prefix + ANY_POSITION, self.path, 1) if self.path else pattern

    def cite(self, pattern: str) -> Citation | None:
        """The value at a pattern within this element, None where there is none."""
        return cite(self.record, self.at(pattern), pattern)


def cite(record: Record, path: str, pattern: str) -> Citation | None:
    """The value at `path` of a recorded answer, None where there is none."""
    if record.message is None:
        return None
    try:
        value, value_class = resolve_path(record.message, path)
    except PathError:
        return None
    return Citation(record, path, pattern, value, value_class)


def groups_of(kind: str) -> list[Group]:
    """The required evidence of a catalogue id, grouped by tool and list."""
    grouped: dict[tuple[str, str], list[RequiredEvidence]] = {}
    for required in CATALOGUE[kind].evidence:
        prefix = required.path.partition(ANY_POSITION)[0] if ANY_POSITION in required.path else ""
        grouped.setdefault((required.tool, prefix), []).append(required)
    return [Group(tool, prefix, tuple(members)) for (tool, prefix), members in grouped.items()]


def elements(group: Group, record: Record) -> Iterator[Element]:
    """Every element of the group's list in a recorded answer; the top level is a single one."""
    if not group.prefix:
        yield Element(group, record, "")
        return
    for position in range(_length(record.message, group.prefix)):
        yield Element(group, record, f"{group.prefix}[{position}]")


def holds(element: Element, cause: DraftCause) -> bool:
    """Whether the element shows what the group requires of the cause.

    A value that belongs to an entity must be that entity's; any other one must be present, and positive if a number.
    """
    return all(_shows(element.cite(required.path), required, cause) for required in element.group.required)


def matched(cause: DraftCause, records: Records) -> dict[Group, list[Element]]:
    """For each group that the cause's kind requires, the elements of the newest answer that show it.

    Where one value does not single an element out (one account, two programs), those stay that agree best with the
    other claims about the same part.
    """
    found: dict[Group, list[Element]] = {}
    for group in groups_of(cause.kind):
        record = records.latest(group.tool, cause.name)
        candidates = elements(group, record) if record is not None else ()
        found[group] = _agreeing_best([element for element in candidates if holds(element, cause)], cause)
    return found


def _agreeing_best(candidates: list[Element], cause: DraftCause) -> list[Element]:
    scores = [_agreement(element, cause) for element in candidates]
    return [element for element, score in zip(candidates, scores, strict=True) if score == max(scores)]


def _agreement(element: Element, cause: DraftCause) -> int:
    """How many claims about an anchored part the values beside its anchor agree with."""
    agreeing = 0
    for required in element.group.required:
        if required.entity is None:
            continue
        parent = required.path.rpartition(".")[0]
        for type_ in BESIDE:
            beside = element.cite(f"{parent}.{type_}" if parent else type_)
            claimed = cause.values(required.entity.role, type_)
            agreeing += beside is not None and beside.value in claimed
    return agreeing


def brought_up_to_date(cause: DraftCause, records: Records) -> DraftCause:
    """The cause with its victims as the newest answer has them: sessions come and go between two readings.

    The entity that a victim depends on (its holder) is never changed here.
    """
    for group in groups_of(cause.kind):
        constrained = [required for required in group.required if required.entity is not None]
        victims = [required for required in constrained if required.entity and required.entity.role == "victim"]
        record = records.latest(group.tool, cause.name)
        if record is None or len(victims) != 1 or len(constrained) < 2:
            continue
        others = tuple(required for required in group.required if required not in victims)
        narrowed = Group(group.tool, group.prefix, others)
        fresh = [
            citation.value
            for element in elements(narrowed, record)
            if holds(element, cause) and (citation := element.cite(victims[0].path)) is not None
        ]
        if fresh and victims[0].entity is not None:
            cause = _with_values(cause, victims[0].entity.role, victims[0].entity.type, fresh)
    return cause


def distinct(values: Iterable[str]) -> list[str]:
    """The values in order, each once."""
    return list(dict.fromkeys(values))


def _with_values(cause: DraftCause, role: str, type_: str, values: Sequence[str]) -> DraftCause:
    kept = [entity for entity in cause.entities if (entity.role, entity.type) != (role, type_)]
    added = [EntityClaim(role, type_, value) for value in distinct(values)]
    return DraftCause(cause.kind, cause.name, cause.confidence, (*kept, *added), cause.summary)


def _length(message: Message | None, list_path: str) -> int:
    """How many elements the list at a dotted path has; 0 where the path leads nowhere."""
    current: object = message
    for name in list_path.split("."):
        current = getattr(current, name, None)
    return len(current) if isinstance(current, Sized) else 0


def _shows(citation: Citation | None, required: RequiredEvidence, cause: DraftCause) -> bool:
    if citation is None:
        return False
    if required.value:
        return citation.value == required.value
    if required.entity is not None:
        return citation.value in cause.values(required.entity.role, required.entity.type)
    return is_positive(citation.value)


def is_positive(value: str) -> bool:
    """Whether a printed value says that something is there: not empty, not false, and above zero if a number."""
    try:
        return float(value) > 0
    except ValueError:
        return value not in ("", "false")
