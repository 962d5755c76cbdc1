from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from libs.core.watched import SETTLE_SECONDS
from libs.sensitivity.tokens import TOKEN, Tokeniser, TokenKeyError, open_keys
from tests.clock import ManualClock

OLD, NEW = b"o" * 32, b"n" * 32


def test_the_same_value_has_the_same_token_in_one_region_only() -> None:
    west, again, east = (Tokeniser(region, lambda: (OLD,)) for region in ("west", "west", "east"))
    assert TOKEN.fullmatch(west("bob"))
    assert west("bob") == again("bob")
    assert len({west("bob"), west("Bob"), east("bob")}) == 3


def test_a_rotated_key_changes_tokens_and_old_ones_still_match() -> None:
    keys = [OLD]
    tokens = Tokeniser("west", lambda: keys)
    before = tokens("bob")
    keys.insert(0, NEW)
    assert tokens("bob") != before
    assert tokens.matches(before, "bob")
    assert tokens.matches(tokens("bob"), "bob")
    assert not tokens.matches(before, "alice")
    keys.pop()
    assert not tokens.matches(before, "bob")


def test_any_text_has_a_token() -> None:
    tokens = Tokeniser("west", lambda: (OLD,))
    assert len({tokens(value) for value in ("", "\x00", "é", "\ud800", "x" * 100_000)}) == 5


def test_a_key_file_is_made_for_its_owner_alone_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "west.key"
    first = open_keys(path)()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert open_keys(path)() == first
    assert open_keys(tmp_path / "keys" / "east.key")() != first


def test_a_rotated_key_file_is_read_again(tmp_path: Path) -> None:
    clock = ManualClock()
    path = tmp_path / "west.key"
    keys = open_keys(path, clock)
    old = keys()[0]
    path.write_text(f"# rotated\n{NEW.hex()}\n\n{old.hex()}  # until spring\n")
    keys()
    clock.seconds += SETTLE_SECONDS
    assert list(keys()) == [NEW, old]


@pytest.mark.parametrize("content", ["", "# nothing\n", "zz" * 16, "abcd\n", "é"])
def test_a_key_file_that_cannot_be_used_is_refused_without_telling_what_is_in_it(tmp_path: Path, content: str) -> None:
    path = tmp_path / "west.key"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(TokenKeyError, match=r"west\.key") as caught:
        open_keys(path)
    assert content.strip() == "" or content not in str(caught.value)


def test_a_bad_rotation_leaves_the_keys_in_force(tmp_path: Path) -> None:
    clock = ManualClock()
    path = tmp_path / "west.key"
    keys = open_keys(path, clock)
    good = keys()
    path.write_text("not hex")
    keys()
    clock.seconds += SETTLE_SECONDS
    assert keys() == good
