from __future__ import annotations

import pytest

from libs.core.errors import StorexError
from services.shard.history.metrics import unknown_metric


@pytest.mark.parametrize(("wanted", "near"), [("thread_running", " Near it: threads_running"), ("zzzz", "")])
def test_what_is_near_is_named_if_there_is_any_and_the_command_that_lists_all(wanted: str, near: str) -> None:
    with pytest.raises(StorexError) as raised:
        unknown_metric(wanted)
    message = raised.value.public_message
    assert message.startswith(f"There is no metric of that name.{near}")
    assert message.endswith("`storex history INSTANCE` lists all.")
    assert "none" not in message
