"""`traffic.spike`: a client suddenly sends many times as many statements as it did.

Judged by program of an account over all its hosts: a rolling deployment changes hosts, a rotated password changes
accounts, and neither sends more to the server as a whole. Who has just come is told from more of the same work by what
he sends. Statements that mostly fail are somebody trying again; many connections that each rest are too many clients.
Where the engine counts nothing by client, that an account sends more may as well be a new program at other work, or one
statement for each entry of a list: the growth is told then, and no cause.
"""

from __future__ import annotations

from collections.abc import Iterator

from libs.core.catalogue import AFFECTED, CAUSE
from services.shard.detectors.citation import cite
from services.shard.detectors.parts import owner_parts
from services.shard.detectors.readings import Detection, Readings, entity, limit_codes
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import finding_pb2, traffic_pb2

KIND = "traffic.spike"
TOOL = "get_traffic"

TIMES, MORE_PER_SECOND = 3.0, 100.0
"""So many times what it was, and so many statements a second more, is a spike: below that nobody feels it."""
SHARE_OF_ALL, SHARE_SEEN = 0.3, 0.5
"""The increase is at least this share of what all sent before, and so much of it is seen in what all send now."""
LASTS, LASTS_IF_NEW = 4.0, 8.0
"""For so long it has to have lasted, in seconds: a client that starts loads what it needs, and a new one is often found
to do something else than more of the same."""
WATCHED, LOOK_AGAIN = 5.0, 1.2
"""For so long one has to have watched before, in seconds, to say what was usual."""
JUST_STARTED = 30.0
"""Seconds after its start in which a server's clients come back."""
MOSTLY = 0.5
"""Share of a client's statements that fail, from which it tries again rather than does more."""
NEARLY_FULL = 0.9
RESTS = 5.0
"""Share of the connection limit in use, and statements a second that a connection sends less than, where the limit is
the matter and not the traffic."""
PART_OF_NOW, BUSY = 0.01, 1.0
"""A client that sent less than this part of what it sends now is new; what is new about it as well is told only from so
many sessions on average that are busy with it."""
NAMED_SHARE, NAMED = 0.2, 3
"""Share of the increase that a statement has to make up to be named, and how many are."""


def detect(readings: Readings) -> Detection:
    """A finding for the client that grew most, and for others that would each be a spike by themselves."""
    answer = readings.answer(TOOL, traffic_pb2.GetTrafficResponse)
    if answer is None:
        return Detection(not_checked=True, reason="The traffic could not be read.")
    if "PRIVILEGE_MISSING" in _process_codes(answer) or (
        "PRIVILEGE_MISSING" in limit_codes(answer) and not answer.clients
    ):
        return Detection(not_checked=True, reason="Other accounts' sessions cannot be seen by Storex's account.")
    if not answer.window_seconds:
        reason = "The instance has not been watched for long enough to tell a rate."
        return Detection(not_checked=True, reason=reason, look_again=LOOK_AGAIN)
    grown = [place for place, client in enumerate(answer.clients) if _has_grown(answer, client)]
    if not grown:
        return Detection(reason=_clear(answer))
    if answer.HasField("normal") and not answer.normal.unusual:
        return Detection(reason="A client sends much more than before, but as much was usual at other times.")
    lasting = [place for place in grown if _lasts(answer.clients[place])]
    if not lasting:
        return Detection(reason="Traffic has grown within the last seconds only.", look_again=LOOK_AGAIN)
    reasons = {place: _harmless(answer, answer.clients[place]) for place in lasting}
    spikes = [place for place in lasting if not reasons[place]]
    if not spikes:
        return Detection(reason=next(iter(reasons.values())))
    if "TRAFFIC_ESTIMATED" in limit_codes(answer):
        return Detection(not_checked=True, reason=_of_what_kind(answer.clients[spikes[0]]))
    return Detection(tuple(_finding(answer, place) for place in spikes))


def _process_codes(answer: traffic_pb2.GetTrafficResponse) -> set[str]:
    return {limit.code for limit in answer.observation.limits if limit.source == "process"}


def _has_grown(answer: traffic_pb2.GetTrafficResponse, client: traffic_pb2.ClientTraffic) -> bool:
    mine, everything = client.statements, answer.statements
    return (
        mine.increase_per_second >= MORE_PER_SECOND
        and mine.per_second >= TIMES * mine.earlier_per_second
        and mine.increase_per_second >= SHARE_OF_ALL * everything.earlier_per_second
        and everything.increase_per_second >= SHARE_SEEN * mine.increase_per_second
    )


def _lasts(client: traffic_pb2.ClientTraffic) -> bool:
    mine = client.statements
    return mine.lasted_seconds >= (LASTS if mine.earlier_per_second else LASTS_IF_NEW)


def _harmless(answer: traffic_pb2.GetTrafficResponse, client: traffic_pb2.ClientTraffic) -> str:
    """Why a client that sends much more is no spike; empty where it is one."""
    mine = client.statements
    if mine.earlier_seconds < WATCHED:
        seen = f"{mine.earlier_seconds:.0f} s"
        return f"A client sends much more than before, but was watched for {seen} only before it did."
    if not mine.earlier_per_second and answer.uptime_seconds - mine.lasted_seconds < JUST_STARTED:
        return "The server has just started, and its clients come back."
    if client.failed_per_second >= MOSTLY * mine.per_second:
        return "A client sends much more than before, and most of it fails: it tries again."
    if _is_new_work(answer, client):
        return "A new client sends new statements, which keep the server little busy: other work, not more of the same."
    if _is_scaled_out(answer, client):
        return "A client sends more because it has many more connections, each of which rests most of the time."
    return ""


def _is_new_work(answer: traffic_pb2.GetTrafficResponse, client: traffic_pb2.ClientTraffic) -> bool:
    """Whether nothing of what the client sends was there before, and costs so little that nobody feels it."""
    mine, sent = client.statements, [answer.digests[place] for place in _named(answer, client)]
    if not sent or mine.earlier_per_second >= PART_OF_NOW * mine.per_second or not all(one.is_new for one in sent):
        return False
    return sum(one.calls.per_second * one.average_seconds for one in sent) < BUSY


def _is_scaled_out(answer: traffic_pb2.GetTrafficResponse, client: traffic_pb2.ClientTraffic) -> bool:
    """Whether the connections are the matter: nearly all are in use, and each of the client's sends little."""
    mine = client.statements
    if not answer.max_connections or answer.connections < NEARLY_FULL * answer.max_connections:
        return False
    of_each = mine.per_second / max(1, client.connections)
    before = mine.earlier_per_second / max(1, client.earlier_connections)
    return of_each < max(RESTS, 1.5 * before)


def _clear(answer: traffic_pb2.GetTrafficResponse) -> str:
    now, before = answer.statements.per_second, answer.statements.earlier_per_second
    return (
        f"All clients together send {now:.0f} statements a second, {before:.0f} before; within"
        f" {answer.watched_seconds:.0f} s no client's have grown {TIMES:.0f} times and by {MORE_PER_SECOND:.0f}."
    )


def _of_what_kind(client: traffic_pb2.ClientTraffic) -> str:
    return f"{_summary(client)} Whether that is more of the same or other work cannot be seen."


def _finding(answer: traffic_pb2.GetTrafficResponse, place: int) -> finding_pb2.Finding:
    client = answer.clients[place]
    mine, named = client.statements, list(_named(answer, client))
    critical = bool(answer.max_connections) and answer.connections >= NEARLY_FULL * answer.max_connections
    return finding_pb2.Finding(
        kind=KIND,
        severity=finding_pb2.SEVERITY_CRITICAL if critical else finding_pb2.SEVERITY_WARNING,
        confidence=_confidence(client),
        onset=mine.changed_at,
        summary=_summary(client),
        entities=[
            *owner_parts(CAUSE, client.user, client.host, client.program),
            *(entity(CAUSE, "statement_digest", answer.digests[one].statement.digest) for one in named),
            *(entity(AFFECTED, "table", table) for table in _tables(answer, named)),
        ],
        evidence=_evidence(answer, place, named),
        impact=mine.increase_per_second / 100.0,
    )


def _summary(client: traffic_pb2.ClientTraffic) -> str:
    mine = client.statements
    if not mine.earlier_per_second:
        grew = f"A client that was not there before sends {mine.per_second:.0f} statements a second"
    else:
        times = mine.per_second / mine.earlier_per_second
        grew = (
            f"A client sends {mine.per_second:.0f} statements a second instead of {mine.earlier_per_second:.0f},"
            f" {times:.1f} times as many"
        )
    return (
        f"{grew}, for {mine.lasted_seconds:.0f} s, over {client.connections} connections instead of"
        f" {client.earlier_connections}."
    )


def _named(answer: traffic_pb2.GetTrafficResponse, client: traffic_pb2.ClientTraffic) -> Iterator[int]:
    """The statements on tables that make up most of the increase."""
    found = 0
    for place, digest in enumerate(answer.digests):
        much = NAMED_SHARE * client.statements.increase_per_second
        if found < NAMED and digest.tables and digest.calls.increase_per_second >= much:
            found += 1
            yield place


def _tables(answer: traffic_pb2.GetTrafficResponse, named: list[int]) -> list[str]:
    return list(dict.fromkeys(table for place in named for table in answer.digests[place].tables))


def _confidence(client: traffic_pb2.ClientTraffic) -> float:
    if not client.statements.earlier_per_second:
        return 0.8
    return 0.95 if client.statements.earlier_seconds >= 60.0 else 0.85


def _evidence(answer: traffic_pb2.GetTrafficResponse, place: int, named: list[int]) -> list[entity_pb2.Evidence]:
    at, client = f"clients[{place}]", answer.clients[place]
    paths = [
        (f"{at}.user", "The account that sends them."),
        (f"{at}.statements.per_second", "Statements a second, now."),
        (f"{at}.statements.earlier_per_second", "Statements a second, before."),
        (f"{at}.statements.increase_per_second", "So many more a second."),
        (f"{at}.statements.earlier_seconds", "For how long it was watched before, in seconds."),
        (f"{at}.statements.lasted_seconds", "For how long it has lasted, in seconds."),
        (f"{at}.connections", "Its connections now."),
        (f"{at}.earlier_connections", "Its connections before."),
        ("statements.per_second", "Statements a second of all clients, now."),
        ("statements.earlier_per_second", "Statements a second of all clients, before."),
    ]
    paths += [(f"{at}.program", "The program that sends them.")] if client.program else []
    paths += [(f"{at}.host", "The host that sends nearly all of them.")] if client.host else []
    for one in named:
        row = f"digests[{one}]"
        paths += [
            (f"{row}.statement.digest", "A statement that is sent more often."),
            (f"{row}.calls.per_second", "Its calls a second, now."),
            (f"{row}.calls.earlier_per_second", "Its calls a second, before."),
            (f"{row}.average_seconds", "Average time of its calls, now."),
            (f"{row}.earlier_average_seconds", "Average time of its calls, before."),
        ]
    return [cite(TOOL, answer, path, statement) for path, statement in paths]
