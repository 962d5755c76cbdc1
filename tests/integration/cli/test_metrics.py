"""What a mesh's services go by, from their metrics: none is not the same as no answer."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, start_http_server

from libs.cli.commands.status import show_mesh
from libs.cli.mesh import metrics
from libs.cli.mesh.metrics import InForce, files_in_force
from libs.cli.mesh.state import MeshState, ServiceState
from libs.cli.output import Output
from libs.telemetry.in_force import show_in_force


@pytest.fixture
def mesh(monkeypatch: pytest.MonkeyPatch) -> Iterator[MeshState]:
    """A service with a policy, one without any, one that hangs."""
    monkeypatch.setattr(metrics, "_SECONDS", 0.5)
    with_policy = CollectorRegistry()
    show_in_force(with_policy, {"policy": lambda: ("pol_1", 0)})
    serving = [start_http_server(0, "127.0.0.1", registry) for registry in (with_policy, CollectorRegistry())]
    with socket.create_server(("127.0.0.1", 0)) as hangs:
        ports = [server.server_port for server, _ in serving] + [hangs.getsockname()[1]]
        yield MeshState("ready", 1, "", "127.0.0.1:1", 0.0, tuple(map(_service, ("shard", "judge", "agent"), ports)))
    for server, thread in serving:
        server.shutdown()
        server.server_close()
        thread.join()


def _service(name: str, port: int) -> ServiceState:
    return ServiceState(name, "ready", 1, "127.0.0.1:1", f"127.0.0.1:{port}", 0, "", "")


def test_a_service_that_hangs_is_left_out_and_one_without_files_is_not(mesh: MeshState) -> None:
    assert files_in_force(mesh) == {"shard": [InForce("policy", "pol_1")], "judge": []}


def test_the_status_says_that_a_ready_service_did_not_answer(
    mesh: MeshState, capsys: pytest.CaptureFixture[str]
) -> None:
    show_mesh(Output(as_json=False), mesh)
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if "127.0.0.1:1 " in line}
    assert "pol_1" in rows["shard"]
    assert "no answer" in rows["agent"]
    assert "no answer" not in rows["judge"]
