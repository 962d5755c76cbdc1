"""`access.auth_failed`: some client keeps trying to log in, and is refused again and again.

One mistyped password is none of our business: what tells is that refusals go on.
"""

from __future__ import annotations

from libs.core.catalogue import CAUSE
from services.shard.citation import cite
from services.shard.detectors.readings import Detection, Readings, entity, limit_codes
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import access_pb2, finding_pb2

KIND = "access.auth_failed"
TOOL = "get_failed_logins"

FEWEST = 4
"""Refused logins in the window."""
SHARE_OF_SECONDS = 0.2
"""Share of the samples in which a login was refused: a person tries a few times and stops."""
RECENT = 20.0
"""A group whose last failure is older has nothing to do with it, in seconds."""
LOOK_AGAIN = 1.0


def detect(readings: Readings) -> Detection:
    """One finding at most, with the accounts that it concerns."""
    answer = readings.answer(TOOL, access_pb2.GetFailedLoginsResponse)
    if answer is None:
        return Detection(not_checked=True, reason="Failed logins could not be read.")
    if "FAILED_LOGINS_UNCOUNTED" in limit_codes(answer):
        return Detection(not_checked=True, reason="Refused logins are not counted, as far as Storex may see.")
    if not answer.window_seconds:
        return Detection(not_checked=True, reason="Nothing has been sampled yet.", look_again=LOOK_AGAIN)
    if answer.failed < FEWEST or answer.seconds_with_failures < SHARE_OF_SECONDS:
        again = LOOK_AGAIN if answer.failed > 1 else 0.0
        reason = f"{answer.failed} logins were refused in {answer.window_seconds:.0f} s."
        return Detection(reason=reason, look_again=again)
    return Detection((_finding(answer, readings),))


def _finding(answer: access_pb2.GetFailedLoginsResponse, readings: Readings) -> finding_pb2.Finding:
    current = [place for place, group in enumerate(answer.groups) if _is_current(group, readings.now)][:3]
    return finding_pb2.Finding(
        kind=KIND,
        severity=finding_pb2.SEVERITY_WARNING,
        confidence=0.95 if current else 0.8,
        summary=(
            f"{answer.failed} logins were refused in {answer.window_seconds:.0f} s,"
            f" {answer.failed_per_second:.1f} a second of {answer.attempts_per_second:.1f} attempts."
        ),
        entities=_entities(answer, current),
        evidence=[
            cite(TOOL, answer, path, statement)
            for path, statement in (
                ("failed", "Logins refused in the window."),
                ("failed_per_second", "Refused logins a second."),
                ("attempts_per_second", "Attempts to connect a second."),
                ("seconds_with_failures", "Share of the samples in which one was refused."),
                *((f"groups[{place}].user", "The account that was tried.") for place in current),
                *((f"groups[{place}].host", "The client's host.") for place in current),
            )
        ],
        impact=answer.failed_per_second,
    )


def _is_current(group: access_pb2.FailedLoginGroup, now: float) -> bool:
    return not group.HasField("last_failed_at") or now - group.last_failed_at.ToSeconds() <= RECENT


def _entities(answer: access_pb2.GetFailedLoginsResponse, current: list[int]) -> list[entity_pb2.Entity]:
    groups = [answer.groups[place] for place in current]
    users = dict.fromkeys(group.user for group in groups if group.user)
    hosts = dict.fromkeys(group.host for group in groups if group.host)
    return [*(entity(CAUSE, "user", user) for user in users), *(entity(CAUSE, "host", host) for host in hosts)]
