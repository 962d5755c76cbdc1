"""Which metadata lock stands in the way of which: the engines list locks, not who waits for whom.

Source: the compatibility tables in the comments of sql/mdl.h of both engines.
"""

from __future__ import annotations

_STRONG = ("EXCLUSIVE", "SHARED_NO_READ_WRITE", "SHARED_NO_WRITE")
_WRITES = ("SHARED_WRITE", "SHARED_WRITE_LOW_PRIO")

_BLOCKED_BY: dict[str, frozenset[str] | None] = {
    "SHARED": frozenset({"EXCLUSIVE"}),
    "SHARED_HIGH_PRIO": frozenset({"EXCLUSIVE"}),
    "SHARED_READ": frozenset({"EXCLUSIVE", "SHARED_NO_READ_WRITE"}),
    "SHARED_WRITE": frozenset({*_STRONG, "SHARED_READ_ONLY"}),
    "SHARED_WRITE_LOW_PRIO": frozenset({*_STRONG, "SHARED_READ_ONLY"}),
    "SHARED_UPGRADABLE": frozenset({*_STRONG, "SHARED_UPGRADABLE"}),
    "SHARED_READ_ONLY": frozenset({"EXCLUSIVE", "SHARED_NO_READ_WRITE", *_WRITES}),
    "SHARED_NO_WRITE": frozenset({*_STRONG, "SHARED_UPGRADABLE", *_WRITES}),
    "SHARED_NO_READ_WRITE": frozenset({*_STRONG, "SHARED_READ_ONLY", "SHARED_UPGRADABLE", "SHARED_READ", *_WRITES}),
    "EXCLUSIVE": None,
}
"""For each lock that is asked for on an object, the held ones that it must wait for; None stands for all."""

_SCOPES = frozenset({"GLOBAL", "COMMIT", "BACKUP", "BACKUP LOCK", "SCHEMA", "TABLESPACE"})
_SCOPE_BLOCKED_BY: dict[str, frozenset[str] | None] = {
    "INTENTION_EXCLUSIVE": frozenset({"SHARED", "EXCLUSIVE"}),
    "SHARED": frozenset({"INTENTION_EXCLUSIVE", "EXCLUSIVE"}),
    "EXCLUSIVE": None,
}
_BACKUP_STAGES = frozenset(
    f"BACKUP_{stage}"
    for stage in ("START", "FLUSH", "WAIT_FLUSH", "WAIT_DDL", "WAIT_COMMIT", "FTWRL1", "FTWRL2", "BLOCK_DDL")
)
GLOBAL_OBJECTS = frozenset({"GLOBAL", "COMMIT", "BACKUP", "BACKUP LOCK"})
"""Object types of global read locks and backup locks."""


def blocks(object_type: str, held: str, wanted: str) -> bool:
    """Whether a session that holds `held` on an object makes one that wants `wanted` wait."""
    if wanted.startswith("BACKUP_"):
        return held.startswith("BACKUP_") and (held in _BACKUP_STAGES) != (wanted in _BACKUP_STAGES)
    table = _SCOPE_BLOCKED_BY if object_type in _SCOPES else _BLOCKED_BY
    if wanted not in table:
        return False
    blocking = table[wanted]
    return blocking is None or held in blocking


def jumps_queue(wanted: str) -> bool:
    """Whether a lock that is still waited for makes later ones wait behind it."""
    return wanted in _STRONG


def may_be_stronger(held: str) -> bool:
    """Whether a lock that is held is one that a change of the table makes stronger while it is at work."""
    return held == "SHARED_UPGRADABLE"
