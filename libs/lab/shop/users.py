"""Users: log-ins, profiles, and campaigns."""

from __future__ import annotations

from random import Random

from pymysql.cursors import Cursor

from libs.lab.schema import HISTORY_ROWS, HOT_ROWS, ClientProgram, History, Hot, Service, Table

_USERS, _CAMPAIGNS = 20_000, 100
_COUNTRIES = ("DE", "FR", "PL", "US")
_REDEEM = "UPDATE campaigns SET redemptions = redemptions + 1 WHERE id = %s"


def _log_in(cursor: Cursor, chance: Random) -> None:
    user = chance.randint(1, _USERS)
    cursor.execute("SELECT id, display_name FROM users WHERE email = %s", (f"user{user}@shop.example",))
    cursor.execute(
        "INSERT INTO login_events (user_id, device_id, outcome, created_at) VALUES (%s, %s, 'ok', NOW())",
        (user, f"DV{chance.getrandbits(48):012x}"),
    )


def _redeem(cursor: Cursor, chance: Random) -> None:
    cursor.execute("UPDATE users SET loyalty_points = loyalty_points + 5 WHERE id = %s", (chance.randint(1, _USERS),))
    cursor.execute(_REDEEM, (chance.randint(1, HOT_ROWS),))


def _show_profile(cursor: Cursor, chance: Random) -> None:
    user = chance.randint(1, _USERS)
    cursor.execute("SELECT display_name, country, loyalty_points FROM users WHERE id = %s", (user,))
    cursor.execute("SELECT outcome, created_at FROM login_events WHERE user_id = %s ORDER BY id DESC LIMIT 5", (user,))


def _list_campaigns(cursor: Cursor, chance: Random) -> None:
    first = chance.randint(1, _CAMPAIGNS - 10)
    cursor.execute("SELECT code, redemptions FROM campaigns WHERE id BETWEEN %s AND %s", (first, first + 9))


def _change_country(cursor: Cursor, chance: Random) -> None:
    cursor.execute(
        "UPDATE users SET country = %s WHERE id = %s", (chance.choice(_COUNTRIES), chance.randint(1, _USERS))
    )


USERS = Service(
    name="users",
    tables=(
        Table(
            "users",
            "id INT PRIMARY KEY, email VARCHAR(80) NOT NULL UNIQUE, display_name VARCHAR(80) NOT NULL,"
            " country CHAR(2) NOT NULL, loyalty_points INT NOT NULL",
            _USERS,
            "n + 1, CONCAT('user', n + 1, '@shop.example'), CONCAT('User ', n + 1), ELT(1 + n % 2, 'DE', 'FR'), 0",
        ),
        Table(
            "campaigns",
            "id INT PRIMARY KEY, code VARCHAR(24) NOT NULL UNIQUE, redemptions INT NOT NULL",
            _CAMPAIGNS,
            "n + 1, CONCAT('CAMPAIGN', n), 0",
        ),
        Table(
            "login_events",
            "id BIGINT PRIMARY KEY AUTO_INCREMENT, user_id INT NOT NULL, device_id VARCHAR(32) NOT NULL,"
            " outcome VARCHAR(12) NOT NULL, created_at DATETIME NOT NULL, KEY by_user (user_id)",
            HISTORY_ROWS,
            f"n + 1, n % {_USERS} + 1, LEFT(SHA2(n, 256), 16), 'ok', NOW() - INTERVAL n SECOND",
        ),
    ),
    programs=(
        ClientProgram("login-api", 4, 8, (_log_in, _redeem)),
        ClientProgram("profile-api", 2, 8, (_show_profile, _list_campaigns)),
        ClientProgram("address-worker", 1, 2, (_change_country,)),
    ),
    hot=Hot("campaigns", _REDEEM),
    history=History(
        "login_events",
        "device_id",
        "SELECT user_id, outcome, created_at FROM login_events WHERE device_id = %s",
        "by_user",
        "SELECT u.display_name, e.outcome, e.created_at FROM users AS u JOIN login_events AS e ON e.user_id = u.id"
        " WHERE u.email LIKE CONCAT('user', 1000 + %s, '%%')",
    ),
)
