"""Answers as a shard gives them, for the incidents that the agent must report rightly."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from storex.common.v1 import entity_pb2, options_pb2
from storex.diagnostics.v1 import diagnostics_pb2 as d
from storex.diagnostics.v1 import finding_pb2, session_pb2

NAME = "regions/eu-west-1/instances/orders-1"
OBSERVED = Timestamp(seconds=1_900_000_000)
HOLDER, VICTIMS = 812, (901, 902, 903)
DIGEST = "0f3c6d1e"


def observation(name: str = NAME, *limits: entity_pb2.Limit) -> session_pb2.Observation:
    return session_pb2.Observation(name=name, observed_at=OBSERVED, took_seconds=0.01, limits=limits)


def entity(role: str, type_: str, value: object) -> entity_pb2.Entity:
    return entity_pb2.Entity(role=role, type=type_, value=str(value))


def check(kind: str, result: str = "CLEAR", reason: str = "") -> finding_pb2.Check:
    return finding_pb2.Check(kind=kind, result=finding_pb2.CheckResult.Value(f"CHECK_RESULT_{result}"), reason=reason)


def health(
    *findings: finding_pb2.Finding, name: str = NAME, checks: tuple[finding_pb2.Check, ...] = ()
) -> d.InstanceHealth:
    found = {finding.kind for finding in findings}
    ids = ("lock.row_blocker", "query.missing_index", "connections.leak")
    default = tuple(check(kind, "FOUND" if kind in found else "CLEAR", f"{kind}: 0 seen") for kind in ids)
    return d.InstanceHealth(observation=observation(name), findings=findings, checks=checks or default)


def overview(name: str = NAME, engine: str = "MariaDB") -> d.GetOverviewResponse:
    return d.GetOverviewResponse(
        observation=observation(name), engine=engine, version="10.11.6", threads_running=14, max_connections=151
    )


def blocker_finding(holder: int = HOLDER, victims: tuple[int, ...] = VICTIMS) -> finding_pb2.Finding:
    return finding_pb2.Finding(
        id="f1",
        kind="lock.row_blocker",
        severity=finding_pb2.SEVERITY_CRITICAL,
        confidence=0.95,
        impact=float(len(victims)),
        onset=Timestamp(seconds=OBSERVED.seconds - 40),
        summary="An idle transaction holds row locks in shop.orders that 3 sessions wait for.",
        entities=[
            entity("holder", "connection_id", holder),
            entity("holder", "user", "orders_batch"),
            entity("holder", "host", "10.0.0.7"),
            entity("holder", "program", "nightly-report"),
            *(entity("victim", "connection_id", victim) for victim in victims),
            entity("affected", "table", "shop.orders"),
            entity("affected", "index", "shop.orders.PRIMARY"),
        ],
        evidence=[
            entity_pb2.Evidence(
                tool="get_lock_waits",
                path="holders[0].session.connection_id",
                value=str(holder),
                value_class=options_pb2.SENSITIVITY_PUBLIC,
            )
        ],
    )


def lock_waits(
    holder: int = HOLDER, victims: tuple[int, ...] = VICTIMS, name: str = NAME, idle_seconds: float = 38.5
) -> d.GetLockWaitsResponse:
    session = session_pb2.Session(
        connection_id=holder, user="orders_batch", host="10.0.0.7", program="nightly-report", command="Sleep"
    )
    transaction = session_pb2.Transaction(
        connection_id=holder, age_seconds=41, rows_modified=1, idle=idle_seconds > 0, idle_seconds=idle_seconds
    )
    return d.GetLockWaitsResponse(
        observation=observation(name),
        holders=[
            d.LockHolder(
                session=session,
                transaction=transaction,
                blocked_sessions=len(victims),
                longest_wait_seconds=37.2,
                kind=d.LOCK_KIND_ROW,
            )
        ],
        waiters=[
            d.LockWaiter(
                session=session_pb2.Session(
                    connection_id=victim, user="orders_app", host="10.0.0.9", program="checkout"
                ),
                blocking_connection_id=holder,
                root_connection_id=holder,
                depth=1,
                kind=d.LOCK_KIND_ROW,
                table="shop.orders",
                index="PRIMARY",
                wait_seconds=37.2,
            )
            for victim in victims
        ],
    )


def missing_index_finding(digest: str = DIGEST) -> finding_pb2.Finding:
    return finding_pb2.Finding(
        id="f2",
        kind="query.missing_index",
        severity=finding_pb2.SEVERITY_WARNING,
        confidence=0.9,
        impact=2.5,
        summary="A statement on shop.orders reads every row.",
        entities=[
            entity("cause", "statement_digest", digest),
            entity("affected", "table", "shop.orders"),
            entity("affected", "schema", "shop"),
        ],
    )


def top_queries(digest: str = DIGEST) -> d.ListTopQueriesResponse:
    return d.ListTopQueriesResponse(
        observation=observation(),
        window_seconds=60,
        queries=[
            d.QueryStats(
                statement=session_pb2.Statement(digest="aaaa", digest_text="SELECT `id` FROM `users` WHERE `id` = ?"),
                schema="shop",
                calls=9000,
                rows_examined=9000,
                rows_sent=9000,
            ),
            d.QueryStats(
                statement=session_pb2.Statement(
                    digest=digest,
                    digest_text="SELECT `id` , `total` FROM `orders` WHERE `customer_email` = ? AND `placed_at` > ? "
                    "ORDER BY `id` LIMIT ?",
                ),
                schema="shop",
                tables=["shop.orders"],
                calls=100,
                average_seconds=1.2,
                load=2.0,
                rows_examined=5_000_000,
                rows_sent=300,
                no_index_used=100,
                unindexed_calls=100,
            ),
        ],
    )


def leak_finding() -> finding_pb2.Finding:
    return finding_pb2.Finding(
        id="f3",
        kind="connections.leak",
        severity=finding_pb2.SEVERITY_CRITICAL,
        confidence=0.85,
        impact=120,
        summary="One client holds 120 idle connections.",
        entities=[
            entity("holder", "user", "users_app"),
            entity("holder", "host", "10.0.0.11"),
            entity("holder", "program", "profile-sync"),
        ],
    )


def connections() -> d.GetConnectionsResponse:
    return d.GetConnectionsResponse(
        observation=observation(),
        current=140,
        max_connections=151,
        used_ratio=0.927,
        groups=[
            d.ConnectionGroup(user="users_app", host="10.0.0.12", program="users-api", total=10, idle=8),
            d.ConnectionGroup(
                user="users_app",
                host="10.0.0.11",
                program="profile-sync",
                total=120,
                idle=120,
                median_idle_seconds=95,
                growth=60,
            ),
        ],
    )
