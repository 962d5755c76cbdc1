"""Driver errors as errors of the catalogue; the driver's text goes into `detail`, which stays in the region's log."""

from __future__ import annotations

import pymysql

from libs.config import ConfigError
from libs.core.errors import Reason, StorexError

# Error numbers: the manuals' server and client error references.
_REASONS: dict[int, Reason] = {
    **dict.fromkeys((1044, 1045, 1129, 1130, 1251, 1275, 1698, 1820, 1862, 3118), Reason.DATABASE_ACCESS_DENIED),
    **dict.fromkeys((1040, 1203, 1226), Reason.DATABASE_TOO_MANY_CONNECTIONS),
    **dict.fromkeys((1142, 1143, 1227, 1370), Reason.DATABASE_PRIVILEGE_MISSING),
    **dict.fromkeys((1205, 1317, 1969, 3024), Reason.DATABASE_TIMEOUT),
    **dict.fromkeys(
        (1053, 1077, 1079, 1080, 2002, 2003, 2005, 2006, 2013, 2026, 2055, 3169, 1927, 4031),
        Reason.DATABASE_UNREACHABLE,
    ),
    **dict.fromkeys((1054, 1064, 1109, 1146, 1193), Reason.DATABASE_UNSUPPORTED),
}
_LOST = frozenset({0, 2006, 2013, 2055, 1927, 4031})
"""The connection is gone; a fresh one may work."""


def is_lost(error: Exception) -> bool:
    """Whether the error says no more than that this connection is gone."""
    return isinstance(error, pymysql.MySQLError) and _number(error) in _LOST


def translate(error: Exception, *, feature: str = "") -> StorexError:
    """The catalogue's error for a driver's one; `feature` names what was tried, for DATABASE_UNSUPPORTED."""
    if isinstance(error, ConfigError):
        return StorexError(Reason.DATABASE_PASSWORD_MISSING, detail=str(error))
    detail = f"{type(error).__name__}: {error}"
    if isinstance(error, TimeoutError):
        return StorexError(Reason.DATABASE_TIMEOUT, detail=detail)
    if not isinstance(error, pymysql.MySQLError):
        return StorexError(Reason.DATABASE_UNREACHABLE, detail=detail)
    number = _number(error)
    if "timed out" in detail:
        return StorexError(Reason.DATABASE_TIMEOUT if number == 2013 else Reason.DATABASE_UNREACHABLE, detail=detail)
    reason = _REASONS.get(number)
    if reason is None:
        # Number 0 is the driver's own: a closed socket, or a packet that makes no sense.
        reason = Reason.DATABASE_ERROR if number else Reason.DATABASE_UNREACHABLE
    if reason is Reason.DATABASE_UNSUPPORTED:
        return StorexError(reason, detail=detail, feature=feature)
    if reason is Reason.DATABASE_ERROR:
        return StorexError(reason, detail=detail, error_code=str(number))
    return StorexError(reason, detail=detail)


def _number(error: pymysql.MySQLError) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0
