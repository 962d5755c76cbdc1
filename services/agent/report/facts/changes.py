"""What changed: deployments, variables, versions, restarts, tables, statements and clients, by what matters most."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from services.agent.records import Record
from services.agent.report.facts.fact import Fact, Seen, place, stated, utc
from services.agent.timestamps import epoch_seconds
from storex.history.v1 import history_pb2 as h

MOST = 8
_INTEREST = (
    h.CHANGE_KIND_DEPLOY,
    h.CHANGE_KIND_RESTART,
    h.CHANGE_KIND_VERSION,
    h.CHANGE_KIND_VARIABLE,
    h.CHANGE_KIND_TABLE,
    h.CHANGE_KIND_CLIENT_NEW,
    h.CHANGE_KIND_CLIENT_GONE,
    h.CHANGE_KIND_STATEMENT_NEW,
    h.CHANGE_KIND_STATEMENT_VANISHED,
    h.CHANGE_KIND_CLOCK,
)


def changes(seen: Seen) -> list[Fact]:
    """The changes of the time asked about, the most telling kinds first, or that there was none."""
    answers = list(seen.answers("list_changes", h.ListChangesResponse))
    found = [
        (record, number, change)
        for record, answer in answers
        for number, change in enumerate(answer.changes)
        if epoch_seconds(change.changed_at) <= seen.end
    ]
    if answers and not found:
        record = answers[0][0]
        return [stated(f"No change is on record from {utc(_start(record, seen))} to {utc(seen.end)}.", record)]
    found.sort(key=lambda entry: (_interest(entry[2]), -epoch_seconds(entry[2].changed_at)))
    facts = [_fact(record, number, change, seen) for record, number, change in found[:MOST]]
    left = len(found) - len(facts)
    return [*facts, *([Fact(f"{left} more changes are on record.", ())] if left > 0 else [])]


def _start(record: Record, seen: Seen) -> float:
    """From when on changes were asked for, which is earlier than what the question is about."""
    asked = json.loads(record.arguments).get("minutes", 0) if record.arguments else 0
    return seen.end - 60.0 * asked if asked else seen.start


def _interest(change: h.Change) -> int:
    return _INTEREST.index(change.kind) if change.kind in _INTEREST else len(_INTEREST)


def _fact(record: Record, number: int, change: h.Change, seen: Seen) -> Fact:
    subject = change.WhichOneof("subject") or ""
    words, fields = _WORDS.get(subject, _unknown)(change)
    at = f"changes[{number}]"
    paths = [(f"{at}.{subject}.{field}", "What changed.") for field in fields]
    text = f"{utc(change.changed_at)}{place(record, seen)}: {words}."
    return stated(text, record, (f"{at}.changed_at", "When it changed, or was first seen changed."), *paths)


Words = tuple[str, Iterable[str]]


def _unknown(change: h.Change) -> Words:
    return h.ChangeKind.Name(change.kind).removeprefix("CHANGE_KIND_").lower().replace("_", " "), ()


def _variable(change: h.Change) -> Words:
    one = change.variable
    if one.withheld:
        return f"{one.variable} was changed; its values stay in the region", ("variable",)
    was = f" from {one.old_value}" if one.old_value else ""
    return f"{one.variable} was changed{was} to {one.new_value}", ("variable", "old_value", "new_value")


def _table(change: h.Change) -> Words:
    one = change.table
    part = next((f" {kind} {name}" for kind, name in (("column", one.column), ("index", one.index)) if name), "")
    return f"table {one.table}: {one.action.replace('_', ' ')}{part}", ("table", "action", "column", "index")


def _server(change: h.Change) -> Words:
    one = change.server
    if change.kind == h.CHANGE_KIND_RESTART:
        return f"the server was restarted, version {one.new_version}", ("new_version",)
    return f"the server's version went from {one.old_version} to {one.new_version}", ("old_version", "new_version")


def _statement(change: h.Change) -> Words:
    came = "ran for the first time" if change.kind == h.CHANGE_KIND_STATEMENT_NEW else "stopped running"
    digest = change.statement.statement.digest
    return f"statement {digest} {came}", ("statement.digest",)


def _client(change: h.Change) -> Words:
    one = change.client
    program = f" with program {one.program}" if one.program else ""
    driver = f" ({one.driver})" if one.driver else ""
    came = "connected for the first time" if change.kind == h.CHANGE_KIND_CLIENT_NEW else "is no longer connected"
    return f"user {one.user}{program}{driver} {came}", ("user", "program", "driver", "program_version")


def _deploy(change: h.Change) -> Words:
    one = change.deploy
    version = f" {one.version}" if one.version else ""
    return f"{one.service}{version} was deployed", ("service", "version")


def _clock(change: h.Change) -> Words:
    return f"the shard's clock was set by {change.clock.step_seconds:.1f} s", ("step_seconds",)


_WORDS: dict[str, Callable[[h.Change], Words]] = {
    "variable": _variable,
    "table": _table,
    "server": _server,
    "statement": _statement,
    "client": _client,
    "deploy": _deploy,
    "clock": _clock,
}
