from __future__ import annotations

from pathlib import Path

import pytest

from libs.cli.__main__ import run
from libs.cli.role_check import check_roles
from libs.config import load_config

CONFIG = """\
users:
  kim:
    teams: [orders]
    roles: [on-call, {role}]
regions:
  eu: {{domain: gdpr, instances: {{a: {{host: h, port: 1, user: u, password_env: P, team: orders}}}}}}
policy: rules
"""


def written(folder: Path, role: str) -> Path:
    (folder / "rules").mkdir()
    (folder / "rules" / "own.csv").write_text("role, auditor, Reads what was asked\n")
    path = folder / "storex.yaml"
    path.write_text(CONFIG.format(role=role))
    return path


def test_a_role_that_no_policy_declares_keeps_the_mesh_from_starting(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = written(tmp_path, "oncall")
    assert run(["up", "-f", str(path)]) == 3
    told = f"{path}:4: unknown role 'oncall'. Write one of: auditor, dba, deployer, evaluator, on-call, viewer.\n"
    assert told in capsys.readouterr().err


def test_roles_of_the_policy_folder_are_known(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, "auditor"))
    check_roles(config)
    assert "kim" in config.users
