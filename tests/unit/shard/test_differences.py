from __future__ import annotations

from services.shard.mysql.connection import Row
from services.shard.sampler.differences import table_changes, table_shapes, variable_changes, variable_values


def variables(**values: str) -> list[Row]:
    return [{"variable_name": name, "value": value} for name, value in values.items()]


def changed(before: dict[str, str], now: dict[str, str], salt: str = "s") -> list[dict[str, str]]:
    old, new = (variable_values(variables(**values), salt) for values in (before, now))
    return [dict(content) for content in variable_changes(old, new)]


def test_numbers_and_switches_are_told_with_both_values() -> None:
    assert changed({"max_connections": "151", "read_only": "OFF"}, {"max_connections": "20", "read_only": "OFF"}) == [
        {"variable": "max_connections", "old": "151", "new": "20"}
    ]


def test_secrets_and_free_text_are_told_without_values() -> None:
    before = {"init_connect": "SET @a = 'Ada'", "report_password": "hunter2", "max_connections": "151"}
    now = {"init_connect": "SET @a = 'Bob'", "report_password": "hunter3", "max_connections": "a free text"}
    told = changed(before, now)
    assert told == [
        {"variable": "init_connect", "withheld": "1"},
        {"variable": "max_connections", "withheld": "1"},
        {"variable": "report_password", "withheld": "1"},
    ]
    kept = str(variable_values(variables(**before), "s"))
    assert "Ada" not in kept
    assert "hunter2" not in kept


def test_a_withheld_value_is_kept_under_a_key() -> None:
    one, other = (variable_values(variables(init_connect="SET 1"), salt) for salt in ("s", "t"))
    assert one != other


def test_variables_that_move_by_themselves_or_come_with_a_version_are_no_changes() -> None:
    before = {"timestamp": "1", "gtid_executed": "a:1-5", "max_connections": "5"}
    assert changed(before, {"timestamp": "2", "gtid_executed": "a:1-9", "max_connections": "5", "new_one": "1"}) == []


def column(table: str, name: str, kind: str = "int", shape: int = 1) -> Row:
    return {"schema_name": "shop", "table_name": table, "column_name": name, "data_type": kind, "shape": shape}


def index(table: str, name: str, columns: str, unique: int = 0) -> Row:
    return {
        "schema_name": "shop",
        "table_name": table,
        "index_name": name,
        "is_unique": unique,
        "column_names": columns,
    }


def test_tables_columns_and_indexes_that_came_went_or_became_others() -> None:
    before = table_shapes(
        [column("carts", "id"), column("carts", "note", "varchar"), column("old", "id")],
        [index("carts", "PRIMARY", "id", 1), index("carts", "by_note", "note")],
    )
    now = table_shapes(
        [column("carts", "id", "bigint", 2), column("carts", "total", "decimal"), column("lines", "id")],
        [index("carts", "PRIMARY", "id", 1), index("carts", "by_total", "total,id")],
    )
    assert [dict(content) for content in table_changes(before, now)] == [
        {"table": "shop.carts", "action": "column_changed", "column": "id", "definition": "bigint"},
        {"table": "shop.carts", "action": "column_dropped", "column": "note", "definition": "varchar"},
        {"table": "shop.carts", "action": "column_added", "column": "total", "definition": "decimal"},
        {"table": "shop.carts", "action": "index_dropped", "index": "by_note", "definition": "(note)"},
        {"table": "shop.carts", "action": "index_added", "index": "by_total", "definition": "(total,id)"},
        {"table": "shop.lines", "action": "created"},
        {"table": "shop.old", "action": "dropped"},
    ]


def test_a_default_or_an_enum_that_changed_is_seen_and_not_told() -> None:
    before, now = (table_shapes([column("carts", "state", "enum", shape)], []) for shape in (1, 2))
    assert [dict(content) for content in table_changes(before, now)] == [
        {"table": "shop.carts", "action": "column_changed", "column": "state", "definition": "enum"}
    ]
