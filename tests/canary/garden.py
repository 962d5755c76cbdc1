"""A planted engine with a real mesh over it, databases that fail in every way beside it, and what the mesh leaves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from libs.cli.__main__ import run
from libs.lab.accounts import STOREX_USER
from libs.lab.engines import EngineBinary, RunningEngine, free_port
from libs.sensitivity.classes import PRINCIPAL, SCHEMA, SensitivityClass
from tests.canary.markers import customer, principal
from tests.canary.plants import STOREX_PASSWORD, plant, start_options
from tests.canary.sessions import LiveSessions
from tests.integration.llm.scripted_server import ScriptedEndpoint, calls, endpoint

REGION, DOMAIN, TEAM = "eu-west-1", "gdpr", "shop"
INSTANCE = f"regions/{REGION}/instances/shop-1"
AT_HOME = f"shards/{REGION}/"
"""Where the region keeps its own records, below the state directory."""
REFUSED = customer("refusal")
GRADER = "grader"
"""The model that grades reports."""


_SQLITE = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class Role:
    """A kind of caller, and the classes that it sees in clear."""

    teams: tuple[str, ...]
    roles: tuple[str, ...]
    clear: frozenset[SensitivityClass]


ROLES: dict[str, Role] = {
    "viewer": Role((TEAM,), ("viewer",), frozenset({SCHEMA})),
    "oncall": Role((TEAM,), ("on-call",), frozenset({SCHEMA, PRINCIPAL})),
    "dba": Role((), ("dba",), frozenset({SCHEMA, PRINCIPAL})),
    "stranger": Role(("billing",), ("on-call",), frozenset()),
    "nobody": Role((TEAM,), (), frozenset()),
}


@dataclass(slots=True)
class Garden:
    """What the tests walk through."""

    engine: RunningEngine
    config: Path
    state_dir: Path
    mesh: dict[str, Any]
    model: ScriptedEndpoint

    @property
    def coordinator(self) -> str:
        """The front door's address."""
        return str(self.mesh["coordinator"])

    @property
    def shard(self) -> str:
        """The region's own address."""
        return next(str(s["address"]) for s in self.mesh["services"] if s["name"] == f"shard-{REGION}")

    def kept(self) -> dict[str, bytes]:
        """Everything that the mesh wrote or shows about itself, by where it was found: files, tables, metrics."""
        found: dict[str, bytes] = {}
        for path in self.state_dir.rglob("*"):
            if path.is_file():
                place, content = str(path.relative_to(self.state_dir)), path.read_bytes()
                # Long values are split over pages of a database's file: they are whole only in its tables.
                rows = table_rows(path) if content.startswith(_SQLITE) else []
                found[place] = b"\n".join([content, *rows])
        for service in self.mesh["services"]:
            with urllib.request.urlopen(f"http://{service['metrics']}/metrics", timeout=10) as page:
                found[f"metrics of {service['name']}"] = page.read()
        return found

    def sessions_kept(self) -> set[bytes]:
        """The rows of every database that the agent keeps."""
        return {row for path in (self.state_dir / "agent").rglob("*.db") for row in table_rows(path)}


def table_rows(path: Path) -> list[bytes]:
    """Each row of each table of an SQLite file, as its values' bytes."""
    rows = []
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        database.text_factory = bytes
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in database.execute(f'SELECT * FROM "{table.decode()}"'):
                rows.append(b"\0".join(value if isinstance(value, bytes) else str(value).encode() for value in row))
    return rows


@contextmanager
def growing(binary: EngineBinary, folder: Path) -> Iterator[Garden]:
    """Plant an engine, start a mesh over it; everything is stopped at the end."""
    with ExitStack() as undo:
        engine = binary.start(folder / "engine", options=start_options(binary.kind))
        undo.callback(engine.kill)
        live = LiveSessions(plant(engine))
        undo.callback(live.stop)
        undo.callback(engine.kill)  # before the clients: it ends what they wait for
        live.start()
        model = undo.enter_context(_model())
        config = _configure(folder, engine.port, undo.enter_context(_failing_databases()), model)
        undo.callback(run, ["down", "-f", str(config)])
        _start_mesh(config)
        state_dir = folder / "state"
        mesh = json.loads((state_dir / "mesh.json").read_text())
        yield Garden(engine, config, state_dir, mesh, model)


def _start_mesh(config: Path) -> None:
    environment = os.environ | {
        "MODEL_API_KEY": customer("apikey"),
    }
    started = [sys.executable, "-m", "libs.cli", "up", "--detach", "-f", str(config)]
    done = subprocess.run(started, check=False, timeout=90, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _configure(folder: Path, port: int, failing: dict[str, int], model: ScriptedEndpoint) -> Path:
    def instance(name: str, port: int, user: str, password: str) -> dict[str, object]:
        secret = folder / f"{name}.password"
        secret.touch(mode=0o600)
        secret.write_text(password)
        entry = {"host": "127.0.0.1", "port": port, "user": user, "password_file": secret.name}
        return {**entry, "team": TEAM, "labels": {"service": "shop"}}

    instances = {
        "shop-1": {**instance("shop-1", port, STOREX_USER, STOREX_PASSWORD), "explain": True},
        "locked-1": instance("locked-1", port, principal("wronguser"), customer("wrongpassword")),
        **{name: instance(name, at, STOREX_USER, STOREX_PASSWORD) for name, at in failing.items()},
    }
    users = {name: {"teams": list(role.teams), "roles": list(role.roles)} for name, role in ROLES.items()}
    region = {"domain": DOMAIN, "cloud": "aws", "environment": "prod", "instances": instances}
    config = folder / "storex.yaml"
    document = {"state_dir": "state", "users": users, "regions": {REGION: region}, **_models(model)}
    config.write_text(yaml.safe_dump(document))
    return config


def _models(model: ScriptedEndpoint) -> dict[str, object]:
    """One endpoint under two names: a model that investigates, and one that grades what it wrote."""
    endpoints = {
        name: {"base_url": model.base_url, "model": name, "api_key_env": "MODEL_API_KEY"}
        for name in ("scripted", GRADER)
    }
    models = {"endpoints": endpoints, "domains": {DOMAIN: ["scripted", GRADER]}}
    return {"models": models, "judge": {"models": [GRADER]}}


@contextmanager
def _failing_databases() -> Iterator[dict[str, int]]:
    """Ports of servers that refuse in words of their own, that never answer, and that are not there."""
    text = f"Access denied: {REFUSED} {principal('refused')}".encode()
    packet = b"\xff" + (1045).to_bytes(2, "little") + b"#28000" + text
    refusal = len(packet).to_bytes(3, "little") + b"\0" + packet
    with _listening(refusal) as hostile, _listening(None) as silent:
        yield {"hostile-1": hostile, "silent-1": silent, "absent-1": free_port()}


@contextmanager
def _listening(greeting: bytes | None) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server, ExitStack() as held:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection = held.enter_context(server.accept()[0])
                    if greeting is not None:
                        connection.sendall(greeting)
                        connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def curious(request: dict[str, Any]) -> Any:
    """A model that first calls every tool that it is offered, then says in its report all that it was shown."""
    answers = [str(message["content"]) for message in request["messages"] if message["role"] == "tool"]
    if answers:
        return calls(("submit_report", {"answer": " ".join(answers)[:4000], "root_causes": []}))
    offered = [tool["function"] for tool in request["tools"]]
    return calls(*((tool["name"], _arguments(tool)) for tool in offered if tool["name"] != "submit_report"))


def _arguments(tool: dict[str, Any]) -> dict[str, object]:
    values: dict[str, object] = {"string": INSTANCE, "integer": 50, "number": 60.0, "boolean": True}
    properties, required = tool["parameters"]["properties"], tool["parameters"].get("required", [])
    return {name: values[properties[name]["type"]] for name in required}


@contextmanager
def _model() -> Iterator[ScriptedEndpoint]:
    """A model endpoint with a loop and a thread of its own; it is useless until it is given another turn."""
    loop, started = asyncio.new_event_loop(), threading.Event()
    scripted: list[ScriptedEndpoint] = []
    stopping = asyncio.Event()

    async def serve() -> None:
        async with endpoint(b"{}") as opened:
            scripted.append(opened)
            started.set()
            await stopping.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield scripted[0]
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(10)
        loop.close()
