"""A world as bytes and back, in a numbered format; what an older version wrote is brought up to date when read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Never

from libs.core.errors import Reason, StorexError
from services.shard.mysql.connection import Row
from services.shard.mysql.features import Capabilities, Feature, Gap
from services.shard.mysql.statements import Statement
from services.shard.stores.excerpt import Excerpt
from services.shard.work.statement_texts import KnownStatement, StatementTexts
from services.shard.worlds.samples import document_of, history_of
from services.shard.worlds.values import pack, unpack
from services.shard.worlds.world import Look, Moment, RecordedInstance, World

FORMAT = 1
MOST_BYTES = 512 * 1024 * 1024
"""The largest document that is unpacked: a damaged length must not fill the memory."""

Migration = Callable[[dict[str, Any]], dict[str, Any]]
MIGRATIONS: tuple[Migration, ...] = ()
"""Each brings a document from the format of its place, counted from 1, to the next. None is ever edited."""


def encode(world: World) -> bytes:
    """The world in the newest format."""
    instances = [_instance(instance) for instance in world.instances]
    return pack({"format": FORMAT, "took": world.took_seconds, "instances": instances})


def decode(content: bytes, migrations: Sequence[Migration] = MIGRATIONS) -> World:
    """The world of some bytes. Raises StorexError SNAPSHOT_DAMAGED, and SNAPSHOT_TOO_NEW for a format to come."""
    newest = len(migrations) + 1
    try:
        document = unpack(content, MOST_BYTES)
        written_as = document["format"]
        if not isinstance(written_as, int) or written_as < 1:
            raise ValueError("no format")
        if written_as > newest:
            raise StorexError(Reason.SNAPSHOT_TOO_NEW, format=str(written_as), newest=str(newest))
        for migration in migrations[written_as - 1 :]:
            document = migration(document)
        if document["format"] != newest:
            raise ValueError("an unknown format")
        instances = [_read_instance(found) for found in document["instances"]]
        return World(instances, document["took"], written_as)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise StorexError(Reason.SNAPSHOT_DAMAGED, detail=f"{type(error).__name__} in the document") from None


def relabelled(world: World, name: str) -> World:
    """The same world as one of another instance: what is imported becomes a snapshot of the instance that is named."""
    return replace(world, instances=[replace(world.subject, name=name), *world.instances[1:]])


def _instance(instance: RecordedInstance) -> dict[str, Any]:
    texts, matched = instance.texts.known()
    return {
        "name": instance.name,
        "labels": dict(instance.labels),
        "description": instance.description,
        "capabilities": _capabilities(instance.capabilities),
        "looks": [_look(look) for look in instance.looks],
        "moment": [instance.moment.wall, instance.moment.steady],
        "history": document_of(instance.history),
        "texts": [[known.digest, known.text, list(known.tables)] for known in texts],
        "matched": matched,
        "excerpt": _excerpt(instance.excerpt),
        "explain_allowed": instance.explain_allowed,
        "failure": instance.failure.name if instance.failure else None,
        "archive_failure": instance.archive_failure.name if instance.archive_failure else None,
    }


def _read_instance(found: Mapping[str, Any]) -> RecordedInstance:
    texts = StatementTexts.of_known(
        (KnownStatement(digest, text, tuple(tables)) for digest, text, tables in found["texts"]), found["matched"]
    )
    return RecordedInstance(
        name=found["name"],
        labels=found["labels"],
        description=found["description"],
        capabilities=_read_capabilities(found["capabilities"]),
        looks=[_read_look(look) for look in found["looks"]],
        moment=Moment(*found["moment"]),
        history=history_of(found["history"]),
        texts=texts,
        excerpt=None if found["excerpt"] is None else Excerpt(**found["excerpt"]),
        explain_allowed=found["explain_allowed"],
        failure=Reason[found["failure"]] if found["failure"] else None,
        archive_failure=Reason[found["archive_failure"]] if found["archive_failure"] else None,
    )


def _excerpt(excerpt: Excerpt | None) -> dict[str, Any] | None:
    if excerpt is None:
        return None
    return {"layouts": excerpt.layouts, "tables": dict(excerpt.tables), "cuts": dict(excerpt.cuts)}


def _capabilities(capabilities: Capabilities | None) -> dict[str, Any] | None:
    if capabilities is None:
        return None
    return {
        "engine": capabilities.engine,
        "version": capabilities.version,
        "available": sorted(feature.value for feature in capabilities.available),
        "asked": sorted(feature.value for feature in Feature),
    }


def _read_capabilities(found: Mapping[str, Any] | None) -> Capabilities | None:
    """Features that were not known when it was written count as there: that they are missing is nowhere recorded."""
    if found is None:
        return None
    available = frozenset(
        feature for feature in Feature if feature.value in found["available"] or feature.value not in found["asked"]
    )
    return Capabilities(found["engine"], found["version"], available)


def _look(look: Look) -> dict[str, Any]:
    return {
        "moment": [look.moment.wall, look.moment.steady],
        "rows": {statement.value: _table(rows) for statement, rows in look.rows.items()},
        "gaps": {
            statement.value: [gap.source, gap.code, gap.message, gap.remedy] for statement, gap in look.gaps.items()
        },
    }


def _table(rows: Sequence[Row]) -> dict[str, Any]:
    columns = list(rows[0]) if rows else []
    return {"columns": columns, "rows": [[row[column] for column in columns] for row in rows]}


def _read_look(found: Mapping[str, Any]) -> Look:
    """Statements that this version does not know are left out: nothing here can ask for them."""
    known = {statement.value: statement for statement in Statement}
    return Look(
        Moment(*found["moment"]),
        {known[name]: _rows(table) for name, table in found["rows"].items() if name in known},
        {known[name]: Gap(*gap) for name, gap in found["gaps"].items() if name in known},
    )


class RecordedRow(dict[str, Any]):
    """A row of a recording. A column that was not read yet when it was written cannot be known."""

    def __missing__(self, column: str) -> Never:
        raise StorexError(Reason.NOT_CAPTURED, what=f"the column {column}")


def _rows(table: Mapping[str, Any]) -> list[Row]:
    columns = table["columns"]
    return [RecordedRow(zip(columns, values, strict=True)) for values in table["rows"]]
