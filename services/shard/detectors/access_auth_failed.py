"""`access.auth_failed`: some client keeps trying to log in, and is refused again and again.

One mistyped password is none of our business: what tells is that refusals go on.
"""

from __future__ import annotations

from collections.abc import Iterator

from libs.core.catalogue import CAUSE
from services.shard.detectors.citation import cite
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
MOST_GROUPS = 3
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
    finding = _finding(answer, readings)
    # The list of accounts may be older than the counters: then who it is comes with the next look.
    again = LOOK_AGAIN if not finding.entities and _keeps_accounts(answer) else 0.0
    return Detection((finding,), look_again=again)


def _finding(answer: access_pb2.GetFailedLoginsResponse, readings: Readings) -> finding_pb2.Finding:
    current = [place for place, _ in enumerate(answer.groups) if _is_current(answer, place, readings.now)][:MOST_GROUPS]
    return finding_pb2.Finding(
        kind=KIND,
        severity=finding_pb2.SEVERITY_WARNING,
        confidence=0.95 if current else 0.8,
        summary=(
            f"{answer.failed} logins were refused in {answer.window_seconds:.0f} s,"
            f" {answer.failed_per_second:.1f} a second of {answer.attempts_per_second:.1f} attempts."
        ),
        entities=_entities([answer.groups[place] for place in current]),
        evidence=[
            cite(TOOL, answer, path, statement)
            for path, statement in (
                ("failed", "Logins refused in the window."),
                ("failed_per_second", "Refused logins a second."),
                ("attempts_per_second", "Attempts to connect a second."),
                ("seconds_with_failures", "Share of the samples in which one was refused."),
                *_parties(answer, current),
            )
        ],
        impact=answer.failed_per_second,
    )


def _keeps_accounts(answer: access_pb2.GetFailedLoginsResponse) -> bool:
    return bool(answer.groups) or "FAILED_LOGINS_UNNAMED" not in limit_codes(answer)


def _is_current(answer: access_pb2.GetFailedLoginsResponse, place: int, now: float) -> bool:
    """Whether a group takes part; where its time is not kept it must be the only one."""
    group = answer.groups[place]
    if group.HasField("last_failed_at"):
        return now - group.last_failed_at.ToSeconds() <= RECENT
    return len(answer.groups) == 1


def _parties(answer: access_pb2.GetFailedLoginsResponse, current: list[int]) -> Iterator[tuple[str, str]]:
    """What is known of who was refused: not every engine keeps both."""
    for place in current:
        if answer.groups[place].user:
            yield f"groups[{place}].user", "The account that was tried."
        if answer.groups[place].host:
            yield f"groups[{place}].host", "The client's host."


def _entities(groups: list[access_pb2.FailedLoginGroup]) -> list[entity_pb2.Entity]:
    users = dict.fromkeys(group.user for group in groups if group.user)
    hosts = dict.fromkeys(group.host for group in groups if group.host)
    return [*(entity(CAUSE, "user", user) for user in users), *(entity(CAUSE, "host", host) for host in hosts)]
