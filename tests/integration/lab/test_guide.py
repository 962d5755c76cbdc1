"""The example in the guide is an incident that works."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from libs.lab.accounts import Login
from libs.lab.engines import require_engines
from libs.lab.injection import Target
from libs.lab.shop import SERVICES

pytestmark = pytest.mark.engine

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "add-an-incident.md"


def test_the_example_comes_about_and_ends(tmp_path: Path) -> None:
    example = re.search(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    module: dict[str, Any] = {}
    exec(textwrap.dedent("   " + example[1].lstrip()), module)
    with require_engines()[0].start(tmp_path) as engine:
        administrator = Login(engine.host, engine.port, engine.user, engine.password)
        injection = module["inject"](Target(administrator, administrator, SERVICES["orders"], "orders"))
        assert engine.execute("SELECT @@read_only") == [(1,)]
        injection.stop()
        assert engine.execute("SELECT @@read_only") == [(0,)]


def test_the_files_that_it_names_exist() -> None:
    named = re.findall(r"`((?:libs|tests)/[\w/]+(?:\.py|/))`", GUIDE.read_text(encoding="utf-8"))
    assert len(named) >= 4
    assert [name for name in named if not (GUIDE.parents[2] / name).exists()] == []
