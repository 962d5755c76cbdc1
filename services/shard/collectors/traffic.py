"""Who sends how many statements, now against before; all of it out of samples, nothing is counted for the question."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TypeVar

from services.shard.facts.sessions import SESSION_STATEMENTS, is_client, read_sessions
from services.shard.history.normal import NOTHING, SAME_HOUR, read_normals
from services.shard.history.ranges import Range, asked_seconds
from services.shard.mysql.source import ResultSets
from services.shard.mysql.statements import Statement
from services.shard.sampler.history import NO_WORK, Owner
from services.shard.view import InstanceView, real, text, whole
from services.shard.work.client_traffic import DEFAULT_WINDOW, Traffic, changed, is_much_more, rate_change, samples_of
from services.shard.work.digest_traffic import digest_traffic
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import session_pb2, traffic_pb2

SHORTEST_WINDOW, LONGEST_WINDOW = 2.0, 900.0
NEARLY_ALL = 0.8
"""A host with so much of a client's traffic is named for it."""
STATEMENTS_TOLD = 3
MOST_FOLLOWED = 30
"""Clients, and hosts, whose rates are followed back, which takes time: those that sent most in the window."""
_QUERIES = "queries_per_second"

K = TypeVar("K", bound=Hashable)

_ESTIMATED = entity_pb2.Limit(
    source="traffic",
    code="TRAFFIC_ESTIMATED",
    message="Statements are not counted by client: the server's own count is shared out among the sessions that were"
    " seen at work. Programs, failed statements and single statements are not known.",
    remedy="Set performance_schema=ON in the server's configuration and restart the server.",
)
_UNSEEN = entity_pb2.Limit(
    source="traffic",
    code="TRAFFIC_NOT_SAMPLED",
    message="The instance has not been watched for long enough to tell a rate.",
    remedy="Ask again in a few seconds.",
)


async def get_traffic(view: InstanceView, request: traffic_pb2.GetTrafficRequest) -> traffic_pb2.GetTrafficResponse:
    """Rates of all, of each client, host and statement.

    Raises StorexError REQUEST_INVALID for a window out of its bounds.
    """
    began = view.clock.now()
    window = asked_seconds(request, "window", DEFAULT_WINDOW, shortest=SHORTEST_WINDOW, longest=LONGEST_WINDOW)
    results = await view.source.read(*SESSION_STATEMENTS, Statement.GLOBAL_STATUS, Statement.SERVER)
    sessions = [one for one in read_sessions(results, view.texts).values() if is_client(one)]
    traffic = samples_of(view.history, view.clock, window)
    response = traffic_pb2.GetTrafficResponse(
        window_seconds=traffic.window,
        watched_seconds=traffic.watched,
        uptime_seconds=_status(results, "Uptime"),
        statements=rate_change(traffic, traffic.owners),
        connects=rate_change(traffic, traffic.owners, lambda work: work.connects),
        connections=len([one for one in sessions if _owner(one) not in traffic.own]),
        clients=_clients(view, traffic, sessions),
        hosts=_hosts(traffic, sessions),
        digests=digest_traffic(view, window),
    )
    for row in results.rows(Statement.SERVER)[:1]:
        response.max_connections = whole(row["max_connections"])
    if view.archive is not None and any(is_much_more(client.statements) for client in response.clients):
        await _add_normal(view, response)
    limits = [_UNSEEN] if not traffic.window else [] if traffic.counted else [_ESTIMATED]
    response.observation.CopyFrom(view.observation(began, results, *limits))
    return response


def _status(results: ResultSets, name: str) -> float:
    rows = results.rows(Statement.GLOBAL_STATUS)
    return next((real(row["value"]) for row in rows if text(row["variable_name"]) == name), 0.0)


def _owner(session: session_pb2.Session) -> Owner:
    return (session.user, session.host, session.program)


def _clients(
    view: InstanceView, traffic: Traffic, sessions: list[session_pb2.Session]
) -> list[traffic_pb2.ClientTraffic]:
    now = Counter((one.user, one.program) for one in sessions)
    seen = _statements_seen(view, sessions)
    found = []
    for client, owners in _busiest(traffic, _grouped(traffic.owners, lambda owner: (owner[0], owner[2]))):
        statements = rate_change(traffic, owners)
        at = changed(traffic, statements)
        before = view.history.connections_before(at, 0.0)
        rates = traffic.around(at, owners)
        found.append(
            traffic_pb2.ClientTraffic(
                user=client[0],
                program=client[1],
                host=_main_host(traffic, owners, statements),
                hosts=len(owners),
                connections=now[client],
                earlier_connections=sum(before.counts.get(owner, 0) for owner in owners) if before is not None else 0,
                statements=statements,
                failed_per_second=rates.after.failed,
                earlier_failed_per_second=rates.before.failed,
                connects_per_second=rates.after.connects,
                earlier_connects_per_second=rates.before.connects,
                statement_samples=seen.get(client, ()),
            )
        )
    return sorted(found, key=_by_increase)


def _hosts(traffic: Traffic, sessions: list[session_pb2.Session]) -> list[traffic_pb2.HostTraffic]:
    now = Counter(one.host for one in sessions)
    found = [
        traffic_pb2.HostTraffic(
            host=host,
            connections=now[host],
            statements=rate_change(traffic, owners),
        )
        for host, owners in _busiest(traffic, _grouped(traffic.owners, lambda owner: owner[1]))
    ]
    return sorted(found, key=_by_increase)


def _by_increase(one: traffic_pb2.ClientTraffic | traffic_pb2.HostTraffic) -> tuple[float, float]:
    return (-one.statements.increase_per_second, -one.statements.per_second)


def _grouped(owners: Iterable[Owner], key: Callable[[Owner], K]) -> Mapping[K, frozenset[Owner]]:
    groups: dict[K, set[Owner]] = defaultdict(set)
    for owner in owners:
        groups[key(owner)].add(owner)
    return {group: frozenset(members) for group, members in groups.items()}


def _busiest(traffic: Traffic, groups: Mapping[K, frozenset[Owner]]) -> list[tuple[K, frozenset[Owner]]]:
    """The groups that sent most over the window."""
    if not traffic.samples:
        return []
    now, then = traffic.samples[-1].work, traffic.at_start.work

    def sent(group: tuple[K, frozenset[Owner]]) -> float:
        return sum(now[owner].statements - then.get(owner, NO_WORK).statements for owner in group[1])

    return sorted(groups.items(), key=sent, reverse=True)[:MOST_FOLLOWED]


def _main_host(traffic: Traffic, owners: frozenset[Owner], statements: traffic_pb2.RateChange) -> str:
    """The host that sends nearly all of the increase where there is one, and else of the whole."""
    rates = traffic.around(changed(traffic, statements), owners).by_owner
    grown = is_much_more(statements)
    amounts = {owner[1]: 0.0 for owner in owners}
    for owner, (before, after) in rates.items():
        amounts[owner[1]] += after.statements - (before.statements if grown else 0.0)
    total = sum(amount for amount in amounts.values() if amount > 0.0)
    host = max(amounts, key=lambda name: (amounts[name], name))
    return host if len(amounts) == 1 or (total > 0.0 and amounts[host] >= NEARLY_ALL * total) else ""


def _statements_seen(
    view: InstanceView, sessions: list[session_pb2.Session]
) -> dict[tuple[str, str], list[session_pb2.Statement]]:
    """What sessions of each client run, ran last, or were caught running by a sample; the most frequent first."""
    seen: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    texts: dict[str, session_pb2.Statement] = {}
    for session in sessions:
        for statement in (session.statement, session.last_statement):
            if statement.digest:
                texts[statement.digest] = statement
                seen[session.user, session.program][statement.digest] += 1
    for sample in view.history.activity:
        for running in sample.running:
            tracked = view.history.tracked.get(running.connection_id)
            if tracked is not None:
                texts.setdefault(running.digest, session_pb2.Statement(digest=running.digest, digest_text=running.text))
                seen[tracked.owner[0], tracked.owner[2]][running.digest] += 1
    return {
        client: [texts[digest] for digest, _ in counts.most_common(STATEMENTS_TOLD)] for client, counts in seen.items()
    }


async def _add_normal(view: InstanceView, response: traffic_pb2.GetTrafficResponse) -> None:
    """What was normal before the whole changed, where enough is on record."""
    if view.archive is None or not response.statements.HasField("changed_at"):
        return
    now, began = view.clock.now(), response.statements.changed_at.ToNanoseconds() / 1e9
    window = Range(min(began, now - SHORTEST_WINDOW), now)
    found = await view.archive.ask(lambda store: read_normals(store, str(view.name), window, now))
    baseline = found.baselines.get(_QUERIES)
    if baseline is None or found.basis == NOTHING:
        return
    current = found.current.get(_QUERIES, response.statements.per_second)
    response.normal.CopyFrom(
        traffic_pb2.TrafficNormal(
            median_per_second=round(baseline.median, 3),
            highest_per_second=round(baseline.highest, 3),
            same_hour=found.basis == SAME_HOUR,
            days=found.days,
            unusual=baseline.is_unusual(current, "1/s"),
        )
    )
