from __future__ import annotations

import pytest

from services.shard.facts.variable_values import is_public


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_connections", "151"),
        ("max_user_connections", "0"),
        ("performance_schema_users_size", "100"),
        ("report_port", "3306"),
        ("read_only", "OFF"),
        ("disconnect_on_expired_password", "ON"),
        ("sql_mode", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES"),
        ("optimizer_switch", "index_merge=on,mrr=off"),
        ("init_connect", ""),
    ],
)
def test_numbers_switches_and_words_of_a_list_are_told(name: str, value: str) -> None:
    assert is_public(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("report_password", "4111111111111111"),
        ("report_user", "20260504"),
        ("report_host", "17"),
        ("authentication_ldap_simple_bind_root_pwd", "12345678"),
        ("mandatory_roles", "payroll_reader"),
        ("replicate_do_db", "payroll"),
        ("binlog_ignore_db", "payroll"),
        ("gssapi_principal_name", "ada"),
        ("init_connect", "SET @a = 1"),
        ("hostname", "db1"),
    ],
)
def test_what_a_site_has_typed_stays_home_whatever_it_looks_like(name: str, value: str) -> None:
    assert not is_public(name, value)
