"""What the asker's own earlier investigations of an instance came to."""

from __future__ import annotations

from services.agent.records import Record
from services.agent.report.facts.fact import Fact, Seen, stated, utc
from storex.agent.v1 import agent_pb2, report_pb2

MOST = 5


def sessions(seen: Seen) -> list[Fact]:
    """The earlier reports, newest first, or that there is none."""
    facts: list[Fact] = []
    for record, answer in seen.answers("list_past_sessions", agent_pb2.ListSessionsResponse):
        if not answer.sessions:
            facts.append(stated("You have asked nothing else about it before.", record))
        facts += [_fact(record, number, session) for number, session in enumerate(answer.sessions[:MOST])]
    return facts


def _fact(record: Record, number: int, session: agent_pb2.Session) -> Fact:
    at = f"sessions[{number}]"
    paths = [(f"{at}.session_id", "Your earlier session."), (f"{at}.created_at", "When it began.")]
    reports = [(place, turn.report) for place, turn in enumerate(session.turns) if turn.HasField("report")]
    came_to = "no report"
    if reports:
        place, report = reports[-1]
        kinds = ", ".join(f"{cause.kind} on {cause.name}" for cause in report.root_causes)
        verdict = report_pb2.Verdict.Name(report.verdict).removeprefix("VERDICT_")
        came_to = f"{verdict} {kinds}".strip()
        paths.append((f"{at}.turns[{place}].report.verdict", "What it came to."))
        paths += [
            (f"{at}.turns[{place}].report.root_causes[{position}].kind", "A cause that it named.")
            for position in range(len(report.root_causes))
        ]
    text = f"{utc(session.created_at)}: {came_to} (session {session.session_id})."
    return stated(text, record, *paths)
