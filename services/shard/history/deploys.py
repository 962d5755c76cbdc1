"""Deployments that are posted: checked, scrubbed, and kept before they are confirmed."""

from __future__ import annotations

import re

from libs.core.errors import Reason, StorexError
from libs.redaction.prose import scrub
from services.shard.history.changes import encoded
from services.shard.history.ranges import moment
from services.shard.history.recorded import archive_of
from services.shard.sampler.differences import DEPLOY
from services.shard.stores.records import Batch, Change
from services.shard.stores.retention import DEFAULT
from services.shard.view import InstanceView
from storex.history.v1 import history_pb2

LONGEST_NOTE = 1_000
"""Characters of a note."""
AHEAD_SECONDS = 300.0
"""By how much a poster's clock may be ahead."""
_SERVICE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?", re.ASCII)
_VERSION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._+:-]{0,61}[A-Za-z0-9])?", re.ASCII)
_COMMIT = re.compile(r"(?=[0-9]*[a-f])[0-9a-f]{16,64}", re.ASCII)
_COMMIT_DIGITS = 12


async def post_deploy_event(
    view: InstanceView, request: history_pb2.PostDeployEventRequest
) -> history_pb2.PostDeployEventResponse:
    """Keep the event. Raises StorexError REQUEST_INVALID, TIME_RANGE_INVALID, STORE_FULL, STORE_UNAVAILABLE."""
    now, archive, event = view.clock.now(), archive_of(view), request.event
    if len(event.note) > LONGEST_NOTE:
        problem = f"it is longer than {LONGEST_NOTE} characters"
        raise StorexError(Reason.REQUEST_INVALID, field="event.note", problem=problem)
    at = moment(event, "deployed_at", now)
    if not now - DEFAULT.changes < at <= now + AHEAD_SECONDS:
        problem = "deployed_at lies in the future, or longer ago than changes are kept"
        raise StorexError(Reason.TIME_RANGE_INVALID, problem=problem)
    content = {
        "service": _word(_SERVICE, "event.service", event.service),
        "version": _version(event.version),
        "note": scrub(event.note),
    }
    change = Change(round(min(at, now), 3), DEPLOY, content)
    await archive.record(Batch(str(view.name), changes=(change,)))
    return history_pb2.PostDeployEventResponse(change=encoded(change, {}))


def _version(version: str) -> str:
    if not version or _COMMIT.fullmatch(version):
        return version[:_COMMIT_DIGITS]
    return _word(_VERSION, "event.version", version)


def _word(shape: re.Pattern[str], field: str, value: str) -> str:
    """A name or version as it is; what looks like anything else is refused, for it would be shown everywhere."""
    if shape.fullmatch(value) and scrub(value) == value:
        return value
    problem = "it must be a short name of letters, digits and . _ / -, and not look like personal data"
    raise StorexError(Reason.REQUEST_INVALID, field=field, problem=problem)
