from __future__ import annotations

import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.redaction.prose import scrub


@pytest.mark.parametrize(
    "text",
    [
        "kill 812?",
        "kill 812 813 814, 1201 and 12345678",
        "why is payments slow since 02:30?",
        "last night 02:30-03:30, from 2026-11-22T02:30:15Z",
        "between 2026-11-22 and 2026-11-23 00:15",
        "what's x's problem with the users' tables? I don't know",
        "look at `orders`.`items` and shop.order_items_2024_11",
        "regions/eu-west-1/instances/orders-1 or service:payments",
        "10.0.0.1 and 192.168.100.200:3306",
        "is prn_0123456789ab running sx-0123456789abcdef?",
        "MariaDB 10.11.8 uses 93 % of 2048 MB",
        "root@localhost",
        "",
    ],
)
def test_what_an_investigation_needs_stays(text: str) -> None:
    assert scrub(text) == text


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("user 'Alice Smith' and \"Bob\" said", "user [quoted] and [quoted] said"),
        ("where name='O'Brien' and a = 1", "where name=[quoted] and a = 1"),
        ("where name = 'Alice Smith", "where name = [quoted]"),
        ("a = 'it\\'s Alice' and Bob", "a = [quoted]"),
        ("x=N'Alice' y=_utf8mb4'Bob' z=x'416c696365' b=b'0101'", "x=[quoted] y=[quoted] z=[quoted] b=[quoted]"),
        ("he said \u2018Alice\u2019s\u2019 and \u201cBob\u201d", "he said [quoted] and [quoted]"),
        ("mail alice.b+c@example.co.uk.", "mail [email]."),
        ("id=123456789", "id=[number]"),
        ("card 4111 1111 1111 1111 or 4111-1111-1111-1111", "card [number] or [number]"),
        ("ssn 123-45-6789 or 123 45 6789", "ssn [number] or [number]"),
        ("call +49 170 1234567", "call [number]"),
        ("iban GB29 NWBK 6016 1331 9268 19", "iban [iban]"),
        ("key deadbeefdeadbeef or 0xdeadbeef", "key [hex] or [hex]"),
        ("id 550e8400-e29b-41d4-a716-446655440000", "id [hex]"),
        ("token eyJhbGciOiJFZERTQSJ9.eyJzdWIi.abc", "token [code]"),
        ("\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19", "[number]"),
        ("12345\u200b6789", "[number]"),
        ("alice\uff20example.com", "[email]"),
        ("sx-0123456789abcdef0123456789", "sx-[hex]"),
        ("300.300.300.300", "[number]"),
    ],
)
def test_what_looks_like_customer_data_goes(text: str, scrubbed: str) -> None:
    assert scrub(text) == scrubbed


_AROUND = st.text(alphabet=string.ascii_lowercase + " ,.?:;", max_size=20)
_SECRET = st.text(alphabet=string.ascii_letters + string.digits + " ", min_size=3, max_size=30)


@given(_AROUND, _SECRET, st.sampled_from(["'{}'", '"{}"', "= '{}", "\u201c{}\u201d", "N'{}'"]), _AROUND)
def test_nothing_quoted_is_left(before: str, secret: str, quotes: str, after: str) -> None:
    hidden = f"\u0416{secret}\u0416"  # letters that stand nowhere else, so that finding them means a leak
    assert "\u0416" not in scrub(f"{before} {quotes.format(hidden)} {after}")


@given(_AROUND, st.from_regex(r"[0-9]{9,30}", fullmatch=True), _AROUND)
def test_no_long_number_is_left(before: str, number: str, after: str) -> None:
    assert number not in scrub(before + number + after)


@given(st.text())
def test_scrubbing_twice_changes_nothing_more(text: str) -> None:
    once = scrub(text)
    assert scrub(once) == once


def _cpu_seconds(text: str) -> float:
    started = time.process_time()
    scrub(text)
    return time.process_time() - started


@pytest.mark.parametrize("piece", ["a", "1", "'", '"', "a@", "1-", "1 ", "x'", "\\'", "\u2018", "AB12", "+1", "a'"])
def test_the_time_grows_with_the_text_and_no_faster(piece: str) -> None:
    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        return min(_cpu_seconds(text) for _ in range(2))

    assert seconds(800_000) < 10 * max(seconds(200_000), 0.004)  # 16 times would be quadratic
