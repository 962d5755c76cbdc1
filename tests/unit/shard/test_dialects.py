from __future__ import annotations

import pymysql
import pytest

from libs.config import ConfigError
from libs.core.errors import Reason
from services.shard.mysql.dialects import MARIADB, MYSQL, Dialect, dialect_of
from services.shard.mysql.errors import is_lost, translate
from services.shard.mysql.features import GAPS, Capabilities, Feature
from services.shard.mysql.statements import ROW_CAPS, Statement

READS = ("SELECT ", "SHOW ")


@pytest.mark.parametrize("dialect", [MARIADB, MYSQL], ids=lambda dialect: dialect.engine)
@pytest.mark.parametrize("available", [frozenset(Feature), frozenset()], ids=["all", "nothing"])
def test_every_dialect_has_every_statement_and_probe_and_only_reads(
    dialect: Dialect, available: frozenset[Feature]
) -> None:
    capabilities = Capabilities(dialect.engine, "9.7.0", available)
    for statement in Statement:
        assert dialect.sql(statement, capabilities).startswith(READS)
    for feature in Feature:
        assert dialect.probe(feature, capabilities).startswith(READS)


@pytest.mark.parametrize("statement", list(ROW_CAPS))
def test_long_lists_are_bounded(statement: Statement) -> None:
    capabilities = Capabilities("MariaDB", "10.11.6", frozenset(Feature))
    assert MARIADB.sql(statement, capabilities).endswith(f" LIMIT {ROW_CAPS[statement]}")


def test_mysql_leaves_the_thread_list_alone_where_it_can() -> None:
    sql = MYSQL.sql(Statement.PROCESSES, Capabilities("MySQL", "8.0.36", frozenset(Feature)))
    assert "performance_schema.threads" in sql


@pytest.mark.parametrize(("version", "words"), [("8.0.21", "SHOW SLAVE STATUS"), ("8.0.22", "SHOW REPLICA STATUS")])
def test_replica_status_by_version(version: str, words: str) -> None:
    assert MYSQL.sql(Statement.REPLICA_STATUS, Capabilities("MySQL", version, frozenset())) == words


def test_the_engine_is_told_by_its_greeting() -> None:
    assert dialect_of("5.5.5-10.6.16-MariaDB-log") is MARIADB
    assert dialect_of("9.7.0") is MYSQL


def test_every_feature_has_a_gap_with_a_remedy() -> None:
    assert set(GAPS) == set(Feature)
    assert all(gap.remedy and gap.message for gap in GAPS.values())


def test_what_follows_from_another_gap_is_not_told_twice() -> None:
    capabilities = Capabilities(
        "MySQL", "9.7.0", frozenset(Feature) - {Feature.PERFORMANCE_SCHEMA, Feature.METADATA_LOCKS}
    )
    assert [gap.code for gap in capabilities.gaps()] == ["PERFORMANCE_SCHEMA_OFF"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (pymysql.OperationalError(1045, "Access denied for user 'x'"), Reason.DATABASE_ACCESS_DENIED),
        (pymysql.OperationalError(2003, "Can't connect"), Reason.DATABASE_UNREACHABLE),
        (pymysql.OperationalError(1040, "Too many connections"), Reason.DATABASE_TOO_MANY_CONNECTIONS),
        (pymysql.OperationalError(1142, "SELECT command denied"), Reason.DATABASE_PRIVILEGE_MISSING),
        (pymysql.OperationalError(1969, "max_statement_time exceeded"), Reason.DATABASE_TIMEOUT),
        (pymysql.OperationalError(3024, "maximum statement execution time"), Reason.DATABASE_TIMEOUT),
        (pymysql.OperationalError(2013, "Lost connection (timed out)"), Reason.DATABASE_TIMEOUT),
        (pymysql.OperationalError(2013, "Lost connection"), Reason.DATABASE_UNREACHABLE),
        (pymysql.ProgrammingError(1146, "Table doesn't exist"), Reason.DATABASE_UNSUPPORTED),
        (pymysql.InternalError(1030, "Got error 28"), Reason.DATABASE_ERROR),
        (pymysql.InterfaceError(0, ""), Reason.DATABASE_UNREACHABLE),
        (ConnectionResetError(), Reason.DATABASE_UNREACHABLE),
        (ConfigError([]), Reason.DATABASE_PASSWORD_MISSING),
    ],
)
def test_driver_errors(error: Exception, reason: Reason) -> None:
    assert translate(error).reason is reason


def test_the_drivers_text_is_no_part_of_what_a_caller_reads() -> None:
    failure = translate(pymysql.InternalError(1062, "Duplicate entry 'ada@example.org' for key"))
    assert "ada" not in failure.public_message
    assert failure.public_message == "The database answered with error 1062."


def test_a_lost_connection_is_told_from_a_refused_statement() -> None:
    assert is_lost(pymysql.OperationalError(2006, "gone away"))
    assert not is_lost(pymysql.OperationalError(1045, "denied"))
