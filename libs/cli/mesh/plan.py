"""Which processes a configuration asks for, where they listen, and how they find each other."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from libs.config import StorexConfig

COORDINATOR = "coordinator"
AGENT = "agent"
JUDGE = "judge"

# Below the range from which systems give out the ports of outgoing connections: a service that comes back after a
# crash would else find its port taken by somebody's client.
_PORTS = range(20000, 32000)


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """One process of the mesh."""

    name: str
    module: str
    arguments: tuple[str, ...]
    address: str
    metrics_port: int
    identity: str
    token_file: Path
    log_file: Path


@dataclass(frozen=True, slots=True)
class MeshPlan:
    """All processes of a mesh, the coordinator's address among them."""

    services: tuple[ServiceSpec, ...]
    coordinator: str


def plan_mesh(config: StorexConfig, ports: Iterator[int]) -> MeshPlan:
    """One shard a region, a coordinator, an agent and a judge, on the given ports."""
    addresses = {name: region.shard or _local(next(ports)) for name, region in config.regions.items()}
    coordinator, agent, judge = (_local(next(ports)) for _ in range(3))
    shards = [
        _service(config, f"shard-{name}", "shard", ("--region", name), address, next(ports))
        for name, address in addresses.items()
    ]
    routes = [argument for name, address in addresses.items() for argument in ("--shard", f"{name}={address}")]
    front = (*routes, "--agent", agent, "--judge", judge)
    return MeshPlan(
        services=(
            *shards,
            _service(config, COORDINATOR, COORDINATOR, front, coordinator, next(ports)),
            _service(config, AGENT, AGENT, ("--coordinator", coordinator), agent, next(ports)),
            _service(config, JUDGE, JUDGE, ("--coordinator", coordinator), judge, next(ports)),
        ),
        coordinator=coordinator,
    )


def _service(
    config: StorexConfig, name: str, kind: str, arguments: tuple[str, ...], address: str, metrics_port: int
) -> ServiceSpec:
    token_file = config.state_dir / "tokens" / f"{name}.jwt"
    common = ("--config", str(config.path), "--listen", address, "--token-file", str(token_file))
    return ServiceSpec(
        name=name,
        module=f"services.{kind}",
        arguments=(*common, "--metrics-port", str(metrics_port), *arguments),
        address=address,
        metrics_port=metrics_port,
        identity=kind,
        token_file=token_file,
        log_file=config.state_dir / "logs" / f"{name}.log",
    )


def _local(port: int) -> str:
    return f"127.0.0.1:{port}"


def free_ports() -> Iterator[int]:
    """Ports of 127.0.0.1 that nobody listens on now, each once."""
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port
