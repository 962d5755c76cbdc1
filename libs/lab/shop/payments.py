"""Payments: captures, account statements, and settlement."""

from __future__ import annotations

from random import Random

from pymysql.cursors import Cursor

from libs.lab.schema import HISTORY_ROWS, HOT_ROWS, ClientProgram, History, Hot, Service, Table

_ACCOUNTS, _PAYMENTS = 2_000, 30_000
_CREDIT = "UPDATE accounts SET balance_cents = balance_cents + 100 WHERE id = %s"


def _capture(cursor: Cursor, chance: Random) -> None:
    account, amount = chance.randint(1, HOT_ROWS), chance.randint(100, 90_000)
    cursor.execute(
        "INSERT INTO payments (account_id, order_id, state, amount_cents, created_at)"
        " VALUES (%s, %s, 'captured', %s, NOW())",
        (account, chance.randint(1, 20_000), amount),
    )
    cursor.execute(
        "INSERT INTO ledger_entries (payment_id, bank_reference, amount_cents, memo, created_at)"
        " VALUES (%s, %s, %s, 'card capture', NOW())",
        (cursor.lastrowid, f"BR{chance.getrandbits(48):012x}", amount),
    )
    cursor.execute(_CREDIT, (account,))


def _show_payment(cursor: Cursor, chance: Random) -> None:
    payment = chance.randint(1, _PAYMENTS)
    cursor.execute("SELECT state, amount_cents, created_at FROM payments WHERE id = %s", (payment,))
    cursor.execute("SELECT amount_cents, memo FROM ledger_entries WHERE payment_id = %s", (payment,))


def _show_account(cursor: Cursor, chance: Random) -> None:
    account = chance.randint(HOT_ROWS + 1, _ACCOUNTS)
    cursor.execute("SELECT currency, balance_cents FROM accounts WHERE id = %s", (account,))
    cursor.execute(
        "SELECT id, state, amount_cents FROM payments WHERE account_id = %s ORDER BY created_at DESC LIMIT 10",
        (account,),
    )


def _payment_of_order(cursor: Cursor, chance: Random) -> None:
    cursor.execute("SELECT id, state FROM payments WHERE order_id = %s", (chance.randint(1, 20_000),))


def _settle(cursor: Cursor, chance: Random) -> None:
    cursor.execute("UPDATE payments SET state = 'settled' WHERE id = %s", (chance.randint(1, _PAYMENTS),))


PAYMENTS = Service(
    name="payments",
    tables=(
        Table(
            "accounts",
            "id INT PRIMARY KEY, owner_id INT NOT NULL, currency CHAR(3) NOT NULL, balance_cents BIGINT NOT NULL,"
            " KEY by_owner (owner_id)",
            _ACCOUNTS,
            "n + 1, n % 1500 + 1, ELT(1 + n % 3, 'EUR', 'USD', 'PLN'), n * 100",
        ),
        Table(
            "payments",
            "id BIGINT PRIMARY KEY AUTO_INCREMENT, account_id INT NOT NULL, order_id BIGINT NOT NULL,"
            " state VARCHAR(16) NOT NULL, amount_cents INT NOT NULL, created_at DATETIME NOT NULL,"
            " KEY by_account (account_id, created_at), KEY by_order (order_id)",
            _PAYMENTS,
            f"n + 1, n % {_ACCOUNTS} + 1, n % 20000 + 1, 'settled', 100 + n * 17 % 90000, NOW() - INTERVAL n MINUTE",
        ),
        Table(
            "ledger_entries",
            "id BIGINT PRIMARY KEY AUTO_INCREMENT, payment_id BIGINT NOT NULL, bank_reference VARCHAR(32) NOT NULL,"
            " amount_cents INT NOT NULL, memo VARCHAR(100) NOT NULL, created_at DATETIME NOT NULL,"
            " KEY by_payment (payment_id)",
            HISTORY_ROWS,
            f"n + 1, n % {_PAYMENTS} + 1, LEFT(SHA2(n, 256), 16), 100 + n * 17 % 90000, CONCAT('transfer ', n),"
            " NOW() - INTERVAL n SECOND",
        ),
    ),
    programs=(
        ClientProgram("payments-api", 4, 8, (_capture, _show_payment)),
        ClientProgram("statements-api", 2, 8, (_show_account, _payment_of_order)),
        ClientProgram("settlement-worker", 1, 2, (_settle,)),
    ),
    hot=Hot("accounts", _CREDIT),
    history=History(
        "ledger_entries",
        "bank_reference",
        "SELECT payment_id, amount_cents, created_at FROM ledger_entries WHERE bank_reference = %s",
        "by_payment",
        "SELECT p.state, l.amount_cents, l.memo FROM payments AS p JOIN ledger_entries AS l ON l.payment_id = p.id"
        " WHERE p.account_id = %s",
    ),
)
