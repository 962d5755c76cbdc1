from __future__ import annotations

import pytest

from libs.cli.commands.demo import _answering_ctrl_c
from libs.cli.output import Output


def test_ctrl_c_is_answered_before_anything_is_taken_down(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=False)
    with pytest.raises(KeyboardInterrupt), _answering_ctrl_c(output):
        raise KeyboardInterrupt
    assert capsys.readouterr().err == "Stopping everything …\n"
