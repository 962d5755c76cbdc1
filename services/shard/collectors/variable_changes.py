"""Variables that were changed while the server runs: from what, when, and what clients feel of it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from libs.core.errors import StorexError
from libs.core.paging import page_of
from services.shard.facts.growth import COUNTER_STATEMENTS, Growth, growth
from services.shard.facts.variable_symptoms import SYMPTOMS, Symptom
from services.shard.facts.variable_values import is_public
from services.shard.mysql.connection import Row
from services.shard.mysql.source import ResultSets
from services.shard.mysql.statements import KEPT_SECONDS, Statement
from services.shard.sampler.differences import VARIABLE
from services.shard.sampler.history import History, StatusSample
from services.shard.stores.records import Change
from services.shard.view import InstanceView, real, text, timestamp, whole
from services.shard.work.failures import failed_per_second
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import settings_pb2

WINDOW = 15.0
"""The span over which a symptom is measured now, in seconds."""
SOON = 30.0
"""Statements that a change makes fail do so within this time, in seconds."""
LOOK_BACK = 86_400.0
"""Changes older than this are told only while the engine itself still shows them, in seconds."""
SHORTEST_BEFORE = 5.0
"""A shorter time before the change says nothing about what was normal, in seconds."""

FAR_TOO_TIGHT = 0.001
"""Share of what servers usually start with."""

_OF_SESSIONS = frozenset({"autocommit", "foreign_key_checks", "sql_log_bin", "unique_checks"})
"""What each session sets for itself, though the engine may list it here."""


@dataclass(slots=True)
class _Found:
    old: str = ""
    value: str = ""
    default: str = ""
    at: float | None = None
    since: float | None = None
    withheld: bool = False


async def list_variable_changes(
    view: InstanceView, request: settings_pb2.ListVariableChangesRequest
) -> settings_pb2.ListVariableChangesResponse:
    """Read what the engine knows of variables set at run time, and the changes that were recorded."""
    began = view.clock.now()
    results = await view.source.read(Statement.SETTINGS, *COUNTER_STATEMENTS)
    rows = results.rows(Statement.SETTINGS)
    found = {
        name: one
        for row in rows
        if (name := text(row["variable_name"])) not in _OF_SESSIONS
        and (one := _shown(row, began, view.history)) is not None
    }
    if results.has(Statement.SETTINGS):
        view.history.settings_seen_at = began
    recorded, known = await _recorded(view, began)
    for change in reversed(recorded):
        _add(found, change)
    for name, one in found.items():
        before = known.get(name, "")
        if not one.old and before and before != one.value and not before.startswith("#"):
            one.old = before
    grown = growth(view, results, WINDOW)
    newest_first = sorted(found, key=lambda name: (-(found[name].at or 0.0), name))
    page, token = page_of(newest_first, request.page_size, request.page_token, default=100, largest=1000)
    return settings_pb2.ListVariableChangesResponse(
        observation=view.observation(began, results, *_unseen(results)),
        changes=[_change(view, name, found[name], grown) for name in page],
        next_page_token=token,
        window_seconds=grown.seconds,
    )


def _unseen(results: ResultSets) -> list[entity_pb2.Limit]:
    gap = results.gap(Statement.SETTINGS)
    if gap is None:
        return []
    message = "Which variables were set before Storex looked for the first time cannot be seen."
    return [entity_pb2.Limit(source="settings", code="SETTINGS_UNSEEN", message=message, remedy=gap.remedy)]


def _shown(row: Row, now: float, history: History) -> _Found | None:
    """The variable as the engine tells it; None where only Storex's own session has set it, for itself."""
    name, value = text(row["variable_name"]), text(row["value"])
    symptom = SYMPTOMS.get(name)
    default = text(row["default_value"]) or (symptom.limits_nothing if symptom is not None else "")
    ago = row["set_seconds_ago"]
    at = None if ago is None else now - max(0.0, real(ago))
    own = bool(whole(row.get("set_by_storex")))
    since, seen = at, history.see_setting(now, name, value, by_others=not own)
    if ago is None and seen.changed_at is not None:
        at, since = seen.changed_at, seen.since and seen.since - KEPT_SECONDS[Statement.SETTINGS]
    if own:  # that hides when somebody set the server's own value
        if seen.changed_at is None and not _is_far_too_tight(name, value):
            return None
        at, since = seen.changed_at, seen.since and seen.since - KEPT_SECONDS[Statement.SETTINGS]
    withheld = not is_public(name, value)
    return _Found(
        old=seen.old if is_public(name, seen.old) else "",
        value="" if withheld else value,
        default=default if is_public(name, default) else "",
        at=at,
        since=since,
        withheld=withheld,
    )


def _is_far_too_tight(name: str, value: str) -> bool:
    """Whether nobody would start a server with that value: a limit of 30 s is one that many do start with."""
    symptom = SYMPTOMS.get(name)
    if symptom is None or not real(value):
        return False
    return real(value) < symptom.floor if symptom.limits_nothing else real(value) <= FAR_TOO_TIGHT * symptom.usual


async def _recorded(view: InstanceView, now: float) -> tuple[list[Change], Mapping[str, str]]:
    """Recorded changes, newest first, and the values of all variables when they were last recorded."""
    if view.archive is None:
        return [], {}
    name = str(view.name)
    try:
        changes, states = await view.archive.ask(
            lambda store: (store.changes(name, now - LOOK_BACK, now + 1.0, (VARIABLE,)), store.states(name))
        )
    except StorexError:
        return [], {}  # the engine's own word is left
    values = json.loads(states["variables"].content)["values"] if "variables" in states else {}
    return changes, values


def _add(found: dict[str, _Found], change: Change) -> None:
    one = found.setdefault(change.content["variable"], _Found())
    one.withheld = one.withheld or "withheld" in change.content
    one.old, one.value = change.content.get("old", ""), one.value or change.content.get("new", "")
    if one.at is None:
        one.at, one.since = change.at, change.since


def _change(view: InstanceView, name: str, one: _Found, grown: Growth) -> settings_pb2.VariableChange:
    change = settings_pb2.VariableChange(
        variable=name, old_value=one.old, value=one.value, default_value=one.default, withheld=one.withheld
    )
    if one.at is not None:
        change.changed_at.CopyFrom(timestamp(one.at))
    symptom = SYMPTOMS.get(name)
    if symptom is not None and grown.seconds:
        change.symptom = symptom.metric
        change.symptom_now = grown.rate(*symptom.counters) if symptom.counters else _failed_since(view, one.at)
        before = _before(view, symptom, one.since)
        if before is not None:
            change.has_before, change.symptom_before = True, before
    return change


def _failed_since(view: InstanceView, changed_at: float | None) -> float:
    """The rate of failures now, or the one soon after the change where that is lower: later ones have other reasons."""
    now = view.clock.monotonic()
    lately = failed_per_second(view.history.digests, now - WINDOW, now) or 0.0
    if changed_at is None:
        return lately
    change = now - (view.clock.now() - changed_at)
    soon = failed_per_second(view.history.digests, change, change + SOON)
    return lately if soon is None else min(lately, soon)


def _before(view: InstanceView, symptom: Symptom, until: float | None) -> float | None:
    """The symptom's rate over what was sampled before the change; None where that is too little."""
    if until is None or not view.history.status:
        return None
    end = view.clock.monotonic() - (view.clock.now() - until)
    if not symptom.counters:
        return failed_per_second(view.history.digests, -math.inf, end)
    samples: list[StatusSample] = [sample for sample in view.history.status if sample.at <= end]
    if not samples or samples[-1].at - samples[0].at < SHORTEST_BEFORE:
        return None
    first, last = samples[0], samples[-1]
    grown = sum(max(0.0, last.values.get(name, 0.0) - first.values.get(name, 0.0)) for name in symptom.counters)
    return round(grown / (last.at - first.at), 3)
