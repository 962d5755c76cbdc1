"""Which statements fail: how often by their digests, with what and for whom by the last statements of open sessions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from libs.core.paging import page_of
from services.shard.facts.sessions import SESSION_STATEMENTS, is_client, read_sessions
from services.shard.history.ranges import asked_seconds
from services.shard.mysql.connection import Row
from services.shard.mysql.statements import DIGEST_COUNTERS, Statement
from services.shard.sampler.history import DigestCounters, DigestKey, DigestSample
from services.shard.sight.counting import COUNTING_STATEMENTS, uncounted_statements
from services.shard.view import InstanceView, text, whole
from services.shard.work.client_traffic import rate_change_of
from services.shard.work.digest_window import lost_between
from services.shard.work.system_statements import is_system
from services.shard.work.uncounted import prepared, table_full
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import failures_pb2, session_pb2

DEFAULT_WINDOW, SHORTEST_WINDOW, LONGEST_WINDOW = 6.0, 2.0, 900.0
"""Spans that "now" may stand for, in seconds."""
MOST_TOLD = 5
"""Errors, and clients, that are told of a statement."""
_CALLS, _ERRORS = DIGEST_COUNTERS.index("calls"), DIGEST_COUNTERS.index("errors")
_NONE: DigestCounters = (0,) * len(DIGEST_COUNTERS)
_UNSEEN = entity_pb2.Limit(
    source="failing_statements",
    code="FAILURES_NOT_SAMPLED",
    message="The instance has not been watched for long enough to tell which statements fail.",
    remedy="Ask again in a few seconds.",
)

Failures = dict[DigestKey, list[Row]]
"""Rows of `Statement.FAILED_STATEMENTS` by statement."""


async def list_failing_statements(
    view: InstanceView, request: failures_pb2.ListFailingStatementsRequest
) -> failures_pb2.ListFailingStatementsResponse:
    """Compare two samples of the digests, and read what open sessions failed with last.

    Raises StorexError REQUEST_INVALID for a window out of its bounds.
    """
    began = view.clock.now()
    window = asked_seconds(request, "window", DEFAULT_WINDOW, shortest=SHORTEST_WINDOW, longest=LONGEST_WINDOW)
    results = await view.source.read(Statement.FAILED_STATEMENTS, *SESSION_STATEMENTS, *COUNTING_STATEMENTS)
    answer = failures_pb2.ListFailingStatementsResponse()
    limits = uncounted_statements(results)
    before = view.history.digests_before(view.history.digests[-1].at, window) if view.history.digests else None
    if before is None or before is view.history.digests[-1]:
        limits.append(_UNSEEN)
    else:
        newest = view.history.digests[-1]
        last: Failures = defaultdict(list)
        for row in results.rows(Statement.FAILED_STATEMENTS):
            last[(text(row["schema_name"]), text(row["digest"]))].append(row)
        sessions = {one.connection_id: one for one in read_sessions(results, view.texts).values() if is_client(one)}
        answer.window_seconds = round(newest.at - before.at, 3)
        found = sorted(_failing(view, before, answer, last, sessions), key=lambda one: (-one.failed, one.schema))
        page, answer.next_page_token = page_of(found, request.page_size, request.page_token, default=20, largest=200)
        answer.statements.extend(page)
        limits += prepared(view, results, before.at)
        limits += table_full(lost_between(newest.counters, before.counters), answer.window_seconds)
    answer.observation.CopyFrom(view.observation(began, results, *limits))
    return answer


def _failing(
    view: InstanceView,
    before: DigestSample,
    answer: failures_pb2.ListFailingStatementsResponse,
    last: Failures,
    sessions: dict[int, session_pb2.Session],
) -> Iterator[failures_pb2.FailingStatement]:
    """The statements of applications that failed since `before`; adds up all calls in the answer."""
    newest = view.history.digests[-1]
    for key, now in newest.counters.items():
        then = before.counters.get(key, _NONE)
        if now[_CALLS] < then[_CALLS]:
            then = _NONE  # it was reset in between, and counts from nothing
        if then is now or now[_CALLS] <= then[_CALLS]:
            continue
        known = view.texts.get(key[1])
        if known is None or is_system(key[0], known.tables):
            continue
        calls, failed = now[_CALLS] - then[_CALLS], max(0, now[_ERRORS] - then[_ERRORS])
        answer.calls += calls
        answer.failed += failed
        if not failed:
            continue
        counts = [(sample.at, float(sample.counters.get(key, _NONE)[_ERRORS])) for sample in view.history.digests]
        yield failures_pb2.FailingStatement(
            statement=known.proto(),
            schema=key[0],
            tables=[table if "." in table or not key[0] else f"{key[0]}.{table}" for table in known.tables],
            calls=calls,
            failed=failed,
            failed_ratio=round(min(1.0, failed / calls), 4),
            failed_per_second=round(failed / answer.window_seconds, 3),
            failures=rate_change_of(counts, answer.window_seconds, view.clock.now() - view.clock.monotonic()),
            errors=_errors(last.get(key, ())),
            clients=_clients(last.get(key, ()), sessions),
        )


def _errors(rows: Iterable[Row]) -> list[failures_pb2.StatementError]:
    seen: Counter[int] = Counter()
    for row in rows:
        seen[whole(row["error_number"])] += whole(row["failures"])
    return [
        failures_pb2.StatementError(error_code=code, seen=number)
        for code, number in seen.most_common(MOST_TOLD)
        if code
    ]


def _clients(rows: Iterable[Row], sessions: dict[int, session_pb2.Session]) -> list[failures_pb2.FailingClient]:
    seen: Counter[tuple[str, str, str]] = Counter()
    connections: dict[tuple[str, str, str], set[int]] = defaultdict(set)
    for row in rows:
        session = sessions.get(whole(row["connection_id"]))
        if session is not None:
            owner = (session.user, session.host, session.program)
            seen[owner] += whole(row["failures"])
            connections[owner].add(session.connection_id)
    return [
        failures_pb2.FailingClient(
            user=owner[0], host=owner[1], program=owner[2], seen=number, connections=len(connections[owner])
        )
        for owner, number in seen.most_common(MOST_TOLD)
    ]
