"""The work of statements over a window in the past, as collectors count it over a present one."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import Message

from libs.core.errors import Reason, StorexError
from services.shard.history.ranges import Range, limits_of, moment
from services.shard.history.recorded import archive_of, recording_limits
from services.shard.history.statement_metrics import recorded_work
from services.shard.mysql.statements import DIGEST_COUNTERS
from services.shard.stores.retention import total_work
from services.shard.stores.store import HistoryStore
from services.shard.view import InstanceView
from services.shard.work.digest_window import DigestDelta
from storex.common.v1 import entity_pb2


@dataclass(frozen=True, slots=True)
class PastWork:
    """What statements did, over how many recorded seconds, and what the record lacks."""

    deltas: list[DigestDelta]
    seconds: float
    limits: list[entity_pb2.Limit]


async def past_work(view: InstanceView, request: Message, window: float) -> PastWork:
    """The recorded work of the `window` seconds before a request's field `at`.

    Pieces of work are whole: a window shorter than one takes in the one that it ends in. Raises StorexError
    TIME_RANGE_INVALID, TIME_OUTSIDE_RETENTION, STORE_UNAVAILABLE.
    """
    now, archive, name = view.clock.now(), archive_of(view), str(view.name)
    at = moment(request, "at", now)
    if at > now:
        raise StorexError(Reason.TIME_RANGE_INVALID, problem="the field at lies in the future")
    asked = Range(at - window, at)
    limits = limits_of(asked, await archive.ask(lambda store: store.span(name)))
    deltas, seconds = await archive.ask(lambda store: _total(store, name, asked, now))
    return PastWork(deltas, seconds, [*limits, *recording_limits(archive)])


def _total(store: HistoryStore, name: str, asked: Range, now: float) -> tuple[list[DigestDelta], float]:
    pieces, spacing = recorded_work(store, name, asked, 0.0, now)
    if not pieces:
        longer = Range(asked.start, asked.end + spacing)
        pieces = recorded_work(store, name, longer, 0.0, now)[0][:1]
    total = total_work(asked.end, pieces)
    texts = store.statements(name)
    deltas = [
        DigestDelta(schema, digest, texts[schema, digest].text, dict(zip(DIGEST_COUNTERS, counters, strict=True)))
        for (schema, digest), counters in total.done.items()
    ]
    return deltas, total.seconds
