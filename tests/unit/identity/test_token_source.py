from __future__ import annotations

from pathlib import Path

import pytest

from libs.core.errors import Reason, StorexError
from libs.identity import FileTokenSource


def test_a_rotated_token_is_read_and_a_vanished_file_keeps_the_last(tmp_path: Path) -> None:
    path = tmp_path / "agent.jwt"
    path.write_text("first\n")
    source = FileTokenSource(path)
    assert source() == "first"
    path.write_text("the second")
    assert source() == "the second"
    path.unlink()
    assert source() == "the second"
    path.write_text("third")
    assert source() == "third"


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_no_token_means_not_ready(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "agent.jwt"
    if content is not None:
        path.write_text(content)
    with pytest.raises(StorexError) as caught:
        FileTokenSource(path)()
    assert caught.value.reason is Reason.NOT_READY
