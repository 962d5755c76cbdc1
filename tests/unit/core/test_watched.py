from __future__ import annotations

from pathlib import Path

import pytest

from libs.core.watched import REMIND_SECONDS, RETRY_SECONDS, SETTLE_SECONDS, WatchedFile
from tests.clock import ManualClock


def _number(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "number"
    file.write_text("1")
    return file


def test_a_change_is_taken_once_it_has_held_still(path: Path) -> None:
    clock = ManualClock()
    number = WatchedFile(path, _number, (ValueError, OSError), clock)
    path.write_text("22")
    assert number() == 1
    path.write_text("333")
    clock.seconds += SETTLE_SECONDS
    assert number() == 1, "it was written again in between"
    clock.seconds += SETTLE_SECONDS
    assert number() == 333


@pytest.mark.parametrize("spoil", [lambda path: path.write_text("none"), lambda path: path.unlink()])
def test_a_bad_change_leaves_the_last_good_content_and_says_so(
    path: Path, spoil: object, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ManualClock()
    number = WatchedFile(path, _number, (ValueError, OSError), clock)
    assert callable(spoil)
    spoil(path)
    number()
    clock.seconds += SETTLE_SECONDS
    assert number() == 1
    assert "cannot be used" in caplog.text
    path.write_text("4444")
    number()
    clock.seconds += SETTLE_SECONDS
    assert number() == 4444


def test_content_that_cannot_be_used_is_told_again_and_taken_once_what_it_depends_on_is_there(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock, known = ManualClock(), {"1"}

    def read(file: Path) -> str:
        text = file.read_text(encoding="ascii")
        if text not in known:
            raise ValueError("unknown")
        return text

    content = WatchedFile(path, read, (ValueError,), clock)
    version = content.version
    path.write_text("22")
    content()
    clock.seconds += SETTLE_SECONDS
    assert (content(), content.version, content.problem) == ("1", version, "unknown")
    for _ in range(int(REMIND_SECONDS / RETRY_SECONDS)):
        clock.seconds += RETRY_SECONDS
        content()
    assert caplog.text.count("cannot be used") == 2
    known.add("22")
    clock.seconds += RETRY_SECONDS
    assert (content(), content.problem) == ("22", "")
    assert content.version != version


def test_bad_content_to_begin_with_is_an_error(path: Path) -> None:
    path.write_text("none")
    with pytest.raises(ValueError, match="none"):
        WatchedFile(path, _number, (ValueError,))
