"""`access.auth_failed`: some client keeps trying to log in and is refused."""

from __future__ import annotations

from services.agent.report.causes.cause import LOW_RISK, MEDIUM_RISK, NO_RISK, Facts, Link, Step, Supporting
from services.agent.report.causes.wording import count, owner, seconds
from services.agent.report.sql import quoted_string

_TOOL = "get_failed_logins"
_FAILED = "failed"
_RATE = "failed_per_second"
_ATTEMPTS = "attempts_per_second"
_WINDOW = "window_seconds"
_USER = "groups[*].user"
_HOST = "groups[*].host"

_SEE_ACCOUNT = "SELECT user, host, account_locked, password_expired, password_last_changed FROM mysql.user WHERE user ="


class FailedLogins:
    """Says how many logins are refused, and whose, where the engine keeps that."""

    kind = "access.auth_failed"
    supporting = (
        Supporting(_TOOL, _FAILED, "Logins refused in the window."),
        Supporting(_TOOL, _RATE, "Refused logins a second."),
        Supporting(_TOOL, _ATTEMPTS, "Attempts to connect a second, those that succeed included."),
        Supporting(_TOOL, _WINDOW, "The window, in seconds."),
    )

    def summary(self, facts: Facts) -> str:
        """How many, and whose."""
        if not facts.value(_FAILED):
            return facts.fallback
        who = owner(facts, "cause")
        return (
            f"{count(facts.number(_FAILED), 'login')} were refused in {seconds(facts.number(_WINDOW))}"
            f"{f' ({who})' if who else ''}."
        )

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """A client with a wrong login → refusals, again and again."""
        if not facts.value(_FAILED):
            return ()
        who = owner(facts, "cause")
        known = f" ({who})" if who else "; which one, this engine does not keep"
        return (
            Link(
                f"A client{known} logs in with a password, an account or a database that the server does not accept.",
                (_RATE, _ATTEMPTS),
            ),
            Link(
                f"It is refused and tries again: {count(facts.number(_FAILED), 'time')} in"
                f" {seconds(facts.number(_WINDOW))}. What it should do is not done.",
                (_FAILED, _WINDOW),
            ),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """Find the client; see its account; mend the one that is wrong."""
        user = quoted_string(facts.entity("cause", "user"))
        host = facts.entity("cause", "host")
        return (
            _see(facts.engine, user),
            Step(
                f"Find the client{f' on {host}' if host else ''} and what was changed last: a rotated password, a new "
                "release with other settings, a removed account. Give it the right login, or stop it. If nobody knows "
                "it, somebody may be guessing passwords: tell security, and shut that host out at the firewall.",
                LOW_RISK,
            ),
            Step(
                "If its password was changed too early, set the one that it still uses again until it is given the new "
                "one (MySQL can keep both: ALTER USER … RETAIN CURRENT PASSWORD). Before: be sure whose client it is. "
                f"After: `storex diag failed_logins {facts.cause.name}` shows no refusals.",
                MEDIUM_RISK,
            ),
        )


def _see(engine: str, user: str | None) -> Step:
    if user is None or engine != "MySQL":
        return Step(
            "See who it is in the server's error log, by 'Access denied for user': with log_warnings at 2 or more on "
            "MariaDB, with log_error_verbosity = 3 on MySQL. This shows where the log is.",
            NO_RISK,
            "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_error', 'log_warnings', 'log_error_verbosity')",
        )
    return Step(
        "See whether the account is there, locked, or its password changed lately. No row: no such account.",
        NO_RISK,
        f"{_SEE_ACCOUNT} {user}",
    )
