"""A region's key `snapshots`."""

from __future__ import annotations

from pathlib import Path

import pytest

from libs.config import ConfigError, SnapshotConfig, load_config


def _read(tmp_path: Path, snapshots: str) -> SnapshotConfig:
    path = tmp_path / "storex.yaml"
    path.write_text(f"regions:\n  eu-west-1:\n    domain: eu\n    instances: {{}}\n    snapshots: {snapshots}\n")
    return load_config(path).regions["eu-west-1"].snapshots


def test_nothing_is_made_by_itself_unless_it_is_configured(tmp_path: Path) -> None:
    assert _read(tmp_path, "{}") == SnapshotConfig()
    assert not SnapshotConfig().on_finding
    assert not SnapshotConfig().after_investigation
    text = "{after_investigation: true, apart_seconds: 60, most_an_hour: 3, keep_count: 7, keep_megabytes: 1}"
    wanted = SnapshotConfig(
        after_investigation=True, apart_seconds=60, most_an_hour=3, keep_count=7, keep_bytes=1024 * 1024
    )
    assert _read(tmp_path, text) == wanted


@pytest.mark.parametrize("text", ["{most_an_hour: 0}", "{apart_seconds: 0}", "{apart_minutes: 3}", "{on_finding: 7}"])
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as failure:
        _read(tmp_path, text)
    assert [found.line for found in failure.value.problems] == [5]
