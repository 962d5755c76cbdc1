"""What the services of a mesh show of themselves in their metrics."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from libs.cli.mesh.state import MeshState
from libs.telemetry.in_force import InForce, read_in_force

__all__ = ["InForce", "files_in_force"]

_SECONDS = 3.0
"""A service may be busy; one that hangs costs the reader no more."""
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def files_in_force(state: MeshState) -> Mapping[str, Sequence[InForce]]:
    """By service: the files that it goes by, which may be none. A service that does not answer is left out."""
    if not state.services:
        return {}
    with ThreadPoolExecutor(len(state.services)) as pool:
        found = pool.map(_read, [service.metrics for service in state.services])
    return {service.name: files for service, files in zip(state.services, found, strict=True) if files is not None}


def _read(address: str) -> Sequence[InForce] | None:
    try:
        with _DIRECT.open(f"http://{address}/metrics", timeout=_SECONDS) as answer:
            return read_in_force(answer.read().decode("utf-8"))
    except (OSError, ValueError):
        return None
