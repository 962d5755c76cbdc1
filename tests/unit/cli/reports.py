"""A report as an agent would write it, with text in it that a database user might have planted."""

from __future__ import annotations

from google.protobuf.json_format import ParseDict

from storex.agent.v1.report_pb2 import Report

PLANTED = "\x1b[2J[bold]`x`|<script>\u202e"


_FULL: dict[str, object] = {
    "verdict": "VERDICT_CONFIRMED",
    "target": "regions/eu/instances/payments-1",
    "answer": "Connection 812 holds row locks.",
    "root_causes": [
        {
            "kind": "lock.row_blocker",
            "summary": f"An idle transaction of {PLANTED} blocks 14 sessions",
            "confidence": 0.97,
            "name": "regions/eu/instances/payments-1",
            "evidence_refs": [0],
            "entities": [
                {"role": "holder", "type": "connection_id", "value": "812"},
                {"role": "holder", "type": "user", "value": PLANTED},
                {"role": "victim", "type": "connection_id", "value": "813"},
            ],
        }
    ],
    "causal_chain": [{"text": f"It waits for {PLANTED}", "evidence_refs": [0, 1]}],
    "evidence": [
        {
            "tool": "get_lock_waits",
            "path": "holders[0].session.connection_id",
            "value": "812",
            "statement": f"SELECT {PLANTED}",
        },
        {"tool": "get_lock_waits", "path": "waiters[0].wait_seconds", "value": PLANTED},
    ],
    "ruled_out": [
        {"kind": "lock.metadata", "reason": f"Nobody waits for {PLANTED}"},
        {"kind": "connections.leak", "reason": "31 of 151 connections are in use."},
    ],
    "checked": [
        {"tool": "get_lock_waits", "name": "n", "result": "SUCCESS"},
        {"tool": "get_lock_waits", "name": "m", "result": "SUCCESS"},
        {"tool": "get_overview", "name": "n", "result": "ERROR"},
    ],
    "next_steps": [
        {"text": f"Look at {PLANTED}", "risk": "RISK_NONE"},
        {"text": "End it", "risk": "RISK_MEDIUM", "command": "KILL 812"},
    ],
    "limits": [{"name": "regions/us", "message": f"No answer {PLANTED}.", "remedy": "Try again.", "code": "DOWN"}],
    "written_by": "builtin",
    "usage": {"tool_calls": 5, "wall_seconds": 1.84, "input_tokens": 1000, "output_tokens": 234},
    "session_id": "ses_1",
    "struck": [{"claim": "c", "reason": "r"}],
}


def full_report() -> Report:
    return ParseDict(_FULL, Report())
