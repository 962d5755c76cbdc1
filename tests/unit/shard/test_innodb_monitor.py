from __future__ import annotations

from services.shard.mysql.innodb_monitor import parse_monitor

MARIADB = """
=====================================
2026-05-04 10:00:30 0x7f INNODB MONITOR OUTPUT
=====================================
------------------------
LATEST DETECTED DEADLOCK
------------------------
2026-05-04 10:00:00 0x7f
*** (1) TRANSACTION:
TRANSACTION 70, ACTIVE 1 sec starting index read
LOCK WAIT 3 lock struct(s), heap size 1128, 2 row lock(s)
MariaDB thread id 15, OS thread handle 1317, query id 369 10.0.0.9 shop_app Updating
UPDATE carts SET note='for Ada Lovelace' WHERE id=1
*** WAITING FOR THIS LOCK TO BE GRANTED:
RECORD LOCKS space id 5 page no 5 n bits 320 index PRIMARY of table `shop`.`carts` trx id 70 lock_mode X waiting
 4: len 3; hex 416461; asc Ada;;

*** CONFLICTING WITH:
RECORD LOCKS space id 5 page no 5 n bits 320 index PRIMARY of table `shop`.`carts` trx id 69 lock_mode X locks rec
*** (2) TRANSACTION:
TRANSACTION 69, ACTIVE 1 sec starting index read
MariaDB thread id 14, OS thread handle 1318, query id 368 localhost 127.0.0.1 batch Updating
UPDATE carts SET note=NULL WHERE id=2
*** WAITING FOR THIS LOCK TO BE GRANTED:
RECORD LOCKS space id 5 page no 5 n bits 320 index by_note of table `shop`.`carts` trx id 69 lock_mode S waiting
*** WE ROLL BACK TRANSACTION (1)
------------
TRANSACTIONS
------------
Trx id counter 73
History list length 41
LIST OF TRANSACTIONS FOR EACH SESSION:
---TRANSACTION (0x7fd3), not started
---TRANSACTION 57, ACTIVE 4 sec
MariaDB thread id 7, OS thread handle 13, query id 29 localhost 127.0.0.1 root
INSERT INTO logs VALUES ('
---
LOG
---
Log sequence number 1
')
---
LOG
---
Log sequence number 15252564
Last checkpoint at  15250000
----------------------
BUFFER POOL AND MEMORY
----------------------
Buffer pool size   8112
Free buffers       6931
Modified db pages  922
Pending reads 2
--------------
ROW OPERATIONS
--------------
3 queries inside InnoDB, 1 queries in queue
4 read views open inside InnoDB
1.00 inserts/s, 2.50 updates/s, 0.00 deletes/s, 310.75 reads/s
----------------------------
END OF INNODB MONITOR OUTPUT
============================
"""


def test_figures() -> None:
    monitor = parse_monitor(MARIADB)
    assert monitor.numbers == {
        "history_list_length": 41,
        "log_sequence_number": 15252564,
        "last_checkpoint": 15250000,
        "buffer_pool_pages": 8112,
        "free_pages": 6931,
        "dirty_pages": 922,
        "pending_reads": 2,
        "queries_inside": 3,
        "queries_queued": 1,
        "read_views": 4,
        "inserts_per_second": 1.0,
        "updates_per_second": 2.5,
        "deletes_per_second": 0.0,
        "reads_per_second": 310.75,
    }
    assert monitor.active_transactions == 1


def test_a_statement_that_imitates_the_monitor_does_not_pass_for_it() -> None:
    assert parse_monitor(MARIADB).numbers["log_sequence_number"] != 1


def test_the_last_deadlock() -> None:
    deadlock = parse_monitor(MARIADB).deadlock
    assert deadlock is not None
    assert deadlock.age_seconds == 30
    assert deadlock.victim == 0
    first, second = deadlock.parties
    assert (first.connection_id, first.user, first.host) == (15, "shop_app", "10.0.0.9")
    assert (second.connection_id, second.user, second.host) == (14, "batch", "127.0.0.1")
    assert (first.waiting_table, first.waiting_index, first.waiting_mode) == ("shop.carts", "PRIMARY", "X")
    assert (second.waiting_index, second.waiting_mode) == ("by_note", "S")
    assert first.sql == "UPDATE carts SET note='for Ada Lovelace' WHERE id=1"


def test_mysql_says_what_each_side_holds_before_what_it_waits_for() -> None:
    text = """2026-05-04 10:00:30 1317 INNODB MONITOR OUTPUT
------------------------
LATEST DETECTED DEADLOCK
------------------------
2026-05-04 10:00:29 1317
*** (1) TRANSACTION:
TRANSACTION 1619, ACTIVE 0 sec starting index read
MySQL thread id 18, OS thread handle 1396, query id 141 app-3.internal 10.0.0.9 root updating
UPDATE t SET v=? WHERE id=2

*** (1) HOLDS THE LOCK(S):
RECORD LOCKS space id 2 page no 6 n bits 160 index PRIMARY of table `a`.`held` trx id 1619 lock_mode X locks rec

*** (1) WAITING FOR THIS LOCK TO BE GRANTED:
RECORD LOCKS space id 2 page no 6 n bits 160 index PRIMARY of table `a`.`wanted` trx id 1619 lock_mode X waiting
"""
    deadlock = parse_monitor(text).deadlock
    assert deadlock is not None
    assert deadlock.victim == -1
    assert [(party.waiting_table, party.sql) for party in deadlock.parties] == [
        ("a.wanted", "UPDATE t SET v=? WHERE id=2")
    ]


def test_nonsense_is_an_empty_monitor() -> None:
    monitor = parse_monitor("*** (1) TRANSACTION:\n------\nLOG\n------\nLog sequence number x\n")
    assert (monitor.numbers, monitor.active_transactions, monitor.deadlock) == ({}, 0, None)
