from __future__ import annotations

import pytest

from libs.core.errors import Reason, StorexError
from libs.core.paging import page_of


def test_pages_join_to_the_whole_list() -> None:
    items, token, seen = list(range(25)), "", []
    for _ in range(3):
        page, token = page_of(items, 10, token, default=5, largest=10)
        seen += page
    assert seen == items
    assert token == ""


def test_zero_means_the_default_and_the_largest_is_a_ceiling() -> None:
    items = list(range(25))
    assert len(page_of(items, 0, "", default=5, largest=10)[0]) == 5
    assert len(page_of(items, 99, "", default=5, largest=10)[0]) == 10


@pytest.mark.parametrize("token", ["x", "b25l", "é", "bzk5OTk5OTk5OTk5OTk5OTk5OQ", "====", "b-1"])
def test_a_foreign_token_is_refused(token: str) -> None:
    with pytest.raises(StorexError) as caught:
        page_of([1, 2], 1, token, default=1, largest=1)
    assert caught.value.reason is Reason.PAGE_TOKEN_INVALID


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(StorexError) as caught:
        page_of([1], -1, "", default=1, largest=1)
    assert caught.value.reason is Reason.REQUEST_INVALID
