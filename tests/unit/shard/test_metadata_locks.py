from __future__ import annotations

import pytest

from services.shard.mysql.metadata_locks import blocks, jumps_queue


@pytest.mark.parametrize(
    ("held", "wanted", "expected"),
    [
        ("SHARED_READ", "EXCLUSIVE", True),  # a long SELECT stops an ALTER
        ("EXCLUSIVE", "SHARED_READ", True),
        ("SHARED_WRITE", "SHARED_WRITE", False),
        ("SHARED_READ", "SHARED_WRITE", False),
        ("SHARED_UPGRADABLE", "SHARED_UPGRADABLE", True),
        ("SHARED_NO_WRITE", "SHARED_READ", False),
        ("SHARED_NO_WRITE", "SHARED_WRITE", True),
        ("SHARED_NO_READ_WRITE", "SHARED_READ", True),
        ("SHARED_WRITE", "SHARED_READ_ONLY", True),
        ("EXCLUSIVE", "A_LOCK_OF_A_LATER_VERSION", False),
    ],
)
def test_table_locks(held: str, wanted: str, expected: bool) -> None:
    assert blocks("TABLE", held, wanted) is expected


@pytest.mark.parametrize(
    ("object_type", "held", "wanted", "expected"),
    [
        ("GLOBAL", "SHARED", "INTENTION_EXCLUSIVE", True),
        ("GLOBAL", "INTENTION_EXCLUSIVE", "INTENTION_EXCLUSIVE", False),
        ("BACKUP", "BACKUP_FTWRL2", "BACKUP_TRANS_DML", True),
        ("BACKUP", "BACKUP_TRANS_DML", "BACKUP_FTWRL2", True),
        ("BACKUP", "BACKUP_TRANS_DML", "BACKUP_DDL", False),
    ],
)
def test_scopes(object_type: str, held: str, wanted: str, expected: bool) -> None:
    assert blocks(object_type, held, wanted) is expected


def test_only_strong_requests_hold_up_those_behind_them() -> None:
    assert jumps_queue("EXCLUSIVE")
    assert not jumps_queue("SHARED_WRITE")
