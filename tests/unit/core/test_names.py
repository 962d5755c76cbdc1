from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.core.errors import Reason, StorexError
from libs.core.names import ResourceName, parse_name

VALID = ["regions/eu-west-1", "regions/eu-west-1/instances/orders-1", "regions/r/instances/db.orders_1"]

INVALID = [
    "",
    "regions",
    "regions/",
    "regions//instances/orders-1",
    "regions/eu/instances",
    "regions/eu/instances/",
    "regions/eu/instances/orders-1/",
    "regions/eu/instances/orders-1/databases/x",
    "instances/orders-1",
    "regions/EU",
    "regions/eu/instances/../orders-1",
    "regions/eu/instances/a..b",
    "regions/eu/instances/.a",
    "regions/eu/instances/*",
    "regions/eu\n",
    "regions/eu /instances/orders-1",
    "regions/еu",  # a Cyrillic letter  # noqa: RUF001
    "regions/eu/instances/orders‐1",  # a Unicode hyphen  # noqa: RUF001
    "regions/" + "a" * 64,
    "regions/eu/instances/" + "a" * 300,
]


@pytest.mark.parametrize("text", VALID)
def test_a_valid_name_parses_and_prints_as_it_was(text: str) -> None:
    assert str(parse_name(text)) == text


@pytest.mark.parametrize("text", INVALID)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(StorexError) as caught:
        parse_name(text, wildcards=True)
    assert caught.value.reason is Reason.NAME_INVALID


@pytest.mark.parametrize("text", ["regions/-", "regions/-/instances/-", "regions/eu/instances/-"])
def test_wildcards_only_where_they_are_allowed(text: str) -> None:
    assert parse_name(text, wildcards=True).is_wildcard
    with pytest.raises(StorexError) as caught:
        parse_name(text)
    assert caught.value.reason is Reason.WILDCARD_NOT_ALLOWED


@given(st.text(max_size=80))
def test_a_name_that_parses_prints_as_it_was(text: str) -> None:
    try:
        name = parse_name(text, wildcards=True)
    except StorexError as error:
        assert error.reason is Reason.NAME_INVALID  # noqa: PT017
    else:
        assert str(name) == text


def test_covers_follows_containment_and_wildcards() -> None:
    orders = ResourceName("eu", "orders")
    assert ResourceName("eu").covers(orders)
    assert ResourceName("-", "-").covers(orders)
    assert ResourceName("-", "orders").covers(orders)
    assert orders.covers(orders)
    assert not ResourceName("us").covers(orders)
    assert not ResourceName("eu", "users").covers(orders)
    assert not orders.covers(ResourceName("eu"))
