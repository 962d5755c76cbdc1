from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from libs.cli.mesh.plan import plan_mesh
from libs.cli.mesh.state import AlreadyRunningError, MeshDirectory, MeshState, ServiceState
from libs.cli.mesh.tokens import TokenRotation
from libs.config import load_config
from libs.identity import LocalIssuer
from tests.unit.config.test_load import FULL

SERVICE = ServiceState("agent", "ready", 12, "127.0.0.1:1", "127.0.0.1:2", 0, "", "agent.log")
MESH = MeshState("ready", 11, "storex.yaml", "127.0.0.1:3", 1.5, (SERVICE,))


def config_of(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "storex.yaml"
    path.write_text(text)
    return path


def test_the_plan_wires_every_service_to_the_others(tmp_path: Path) -> None:
    text = FULL + "  us-1: {domain: us, shard: '127.0.0.1:9', instances: {}}\n"
    config = load_config(config_of(tmp_path, text))
    plan = plan_mesh(config, count(100))
    shard, fixed, coordinator, agent, judge = plan.services
    names = [service.name for service in plan.services]
    assert names == ["shard-eu-west-1", "shard-us-1", "coordinator", "agent", "judge"]
    assert (shard.address, fixed.address) == ("127.0.0.1:100", "127.0.0.1:9")
    assert coordinator.address == plan.coordinator
    given = " ".join(coordinator.arguments)
    assert f"--shard eu-west-1={shard.address} --shard us-1={fixed.address}" in given
    assert f"--agent {agent.address} --judge {judge.address}" in given
    for caller in (agent, judge):
        assert f"--coordinator {plan.coordinator}" in " ".join(caller.arguments)
    assert "--region eu-west-1" in " ".join(shard.arguments)
    ports = [service.metrics_port for service in plan.services]
    assert len({*ports, *(int(service.address.rpartition(":")[2]) for service in plan.services)}) == 10


def test_the_token_files_are_private_and_replaced(tmp_path: Path) -> None:
    config = load_config(config_of(tmp_path, FULL))
    services = plan_mesh(config, count(100)).services
    rotation = TokenRotation(LocalIssuer.open(config.state_dir), services)
    rotation.write()
    before = [service.token_file.read_text() for service in services]
    assert {service.token_file.stat().st_mode & 0o777 for service in services} == {0o600}
    rotation.write()
    assert all(service.token_file.read_text() != old for service, old in zip(services, before, strict=True))


def test_a_state_directory_has_one_supervisor_and_tells_others_while_it_lives(tmp_path: Path) -> None:
    directory, others = MeshDirectory(tmp_path / "s"), MeshDirectory(tmp_path / "s")
    assert others.read() is None
    with directory.hold():
        assert others.is_held()
        assert others.read() is None
        directory.write(MESH)
        assert others.read() == MESH
        with pytest.raises(AlreadyRunningError), others.hold():
            pass
        assert others.read() == MESH
    assert others.read() is None


def test_what_a_killed_supervisor_left_behind_is_not_believed(tmp_path: Path) -> None:
    directory = MeshDirectory(tmp_path)
    directory.write(MESH)
    assert directory.read() is None
    with directory.hold():
        assert directory.read() is None
