"""What may be explained: texts are strangers', and only what is a SELECT for certain goes to the engine."""

from __future__ import annotations

import pytest

from libs.core.errors import Reason, StorexError
from services.shard.mysql.explaining import NOT_A_SELECT, UNCLEAR, check_explainable
from services.shard.work.seen_texts import CAPACITY, LONGEST, SeenTexts


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "  (SELECT a FROM t) UNION (SELECT b FROM u)",
        "select replace(a, 'x', 'y') from `update` where a = 'FOR UPDATE'",
        "WITH c AS (SELECT 1) SELECT * FROM c;",
        "/* from the shop */ SELECT id FROM t -- INTO nothing",
    ],
)
def test_a_select_goes_through(sql: str) -> None:
    check_explainable(sql)


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("UPDATE t SET a = 1", NOT_A_SELECT),
        ("ANALYZE SELECT 1", NOT_A_SELECT),
        ("ANALYZE FORMAT=JSON SELECT 1", NOT_A_SELECT),
        ("WITH c AS (SELECT 1) DELETE FROM t", NOT_A_SELECT),
        ("SELECT a INTO OUTFILE '/tmp/x' FROM t", NOT_A_SELECT),
        ("SELECT a FROM t FOR UPDATE", NOT_A_SELECT),
        ("SELECT a FROM t LOCK IN SHARE MODE", NOT_A_SELECT),
        ("SELECT a FROM t FOR SHARE", NOT_A_SELECT),
        ("SELECT 1; DROP TABLE t", NOT_A_SELECT),
        ("", NOT_A_SELECT),
        ("SELECT 1 /*! INTO OUTFILE '/tmp/x' */", UNCLEAR),
        ("SELECT 1 /*M! INTO OUTFILE '/tmp/x' */", UNCLEAR),
        ("SELECT a FROM t WHERE b = 'it\\'s'", UNCLEAR),
        ("SELECT a FROM t WHERE b = 'cut of", UNCLEAR),
    ],
)
def test_anything_else_is_refused_with_the_reason(sql: str, problem: str) -> None:
    with pytest.raises(StorexError) as refused:
        check_explainable(sql)
    assert (refused.value.reason, refused.value.metadata) == (Reason.STATEMENT_NOT_EXPLAINED, {"problem": problem})


def test_texts_are_kept_only_while_that_is_allowed_and_never_too_many() -> None:
    allowed = [True]
    seen = SeenTexts(lambda: allowed[0])
    for number in range(CAPACITY + 1):
        seen.note(str(number), "shop", f"SELECT {number}")
    seen.note("long", "shop", "x" * LONGEST)
    assert [seen.get(digest) is None for digest in ("0", "1", str(CAPACITY), "long")] == [True, False, False, True]
    allowed[0] = False
    assert seen.get("1") is None
    seen.note("2", "shop", "SELECT 2")
    allowed[0] = True
    assert seen.get("1") is None
