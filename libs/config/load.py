"""The schema of `storex.yaml`: which keys there are, which are required, and what they default to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from libs.config.document import Document, Fields
from libs.config.investigations import agent_of, models_of, secret_of
from libs.config.judging import judge_of
from libs.config.model import (
    InstanceConfig,
    LogFiles,
    RegionConfig,
    StoreDatabase,
    StorexConfig,
    TlsFiles,
    UserConfig,
)
from libs.config.snapshots import read_snapshots
from libs.core.names import is_segment
from libs.redaction.prose import scrub

ADMIN = UserConfig("admin", teams=(), roles=("dba",))
"""The user that every configuration has: dba of everything, known to the local issuer only."""

_DEFAULT_STATE_DIR = ".storex"


def load_config(path: Path, *, check_files: bool = False) -> StorexConfig:
    """Read a configuration file.

    `check_files` also demands that every file which it names can be read from here; leave it off in a service that
    has no business with another one's files. Raises ConfigError with all problems.
    """
    document = Document(path.expanduser().absolute(), check_files=check_files)
    root = document.root()
    regions = {name: _region(name, fields) for name, fields in root.entries("regions", required=True)}
    models = models_of(root)
    config = StorexConfig(
        path=document.path,
        state_dir=root.path("state_dir") or document.path.parent / _DEFAULT_STATE_DIR,
        users=_users(root),
        regions=regions,
        policy=root.folder("policy"),
        egress=root.file("egress"),
        models=models,
        agent=agent_of(root),
        judge=judge_of(root, models.endpoints),
    )
    root.finish()
    document.finish()
    return config


def _users(root: Fields) -> dict[str, UserConfig]:
    users = {ADMIN.name: ADMIN}
    for name, fields in root.entries("users"):
        if name == ADMIN.name:
            root.report("users", f"must not define {ADMIN.name!r}, which is always there", "Choose another name")
        _check_name(fields, "a user")
        teams, roles = fields.texts("teams"), fields.texts("roles")
        users[name] = UserConfig(name, teams, roles, declared=fields.declared("roles"))
        fields.finish()
    return users


def _region(name: str, fields: Fields) -> RegionConfig:
    _check_name(fields, "a region")
    explain = fields.flag("explain")
    instances = {
        key: _instance(name, key, below, explain=explain) for key, below in fields.entries("instances", required=True)
    }
    region = RegionConfig(
        name=name,
        domain=fields.text("domain", required=True) or "",
        cloud=fields.text("cloud") or "",
        environment=fields.text("environment") or "",
        shard=_address(fields, "shard"),
        instances=instances,
        lab=fields.flag("lab"),
        snapshots=read_snapshots(fields),
        store=_store(fields, instances.values()),
    )
    fields.finish()
    return region


def _store(region: Fields, instances: Iterable[InstanceConfig]) -> StoreDatabase | None:
    fields = region.fields("store")
    if fields is None:
        return None
    password_env, password_file = secret_of(fields, "password", required=True)
    store = StoreDatabase(
        host=fields.text("host", required=True) or "",
        port=fields.integer("port", lowest=1, highest=65535, required=True) or 0,
        user=fields.text("user", required=True) or "",
        password_env=password_env,
        password_file=password_file,
        database=fields.text("database", required=True) or "",
        tls=_tls(fields),
        declared=fields.declared("password_env", "password_file"),
    )
    if (store.host, store.port) in {(instance.host, instance.port) for instance in instances}:
        fields.report("host", "is a server that is looked after", "Keep the history on one that is not investigated")
    fields.finish()
    return store


def _instance(region: str, name: str, fields: Fields, *, explain: bool) -> InstanceConfig:
    _check_name(fields, "an instance")
    password_env, password_file = secret_of(fields, "password", required=True)
    instance = InstanceConfig(
        name=name,
        region=region,
        host=fields.text("host", required=True) or "",
        port=fields.integer("port", lowest=1, highest=65535, required=True) or 0,
        user=fields.text("user", required=True) or "",
        password_env=password_env,
        password_file=password_file,
        team=fields.text("team", required=True) or "",
        labels={key: scrub(value) for key, value in fields.strings("labels").items()},  # people type them
        tls=_tls(fields),
        logs=_logs(fields),
        explain=fields.flag("explain") if fields.has("explain") else explain,
        declared=fields.declared("password_env", "password_file"),
    )
    fields.finish()
    return instance


def _tls(fields: Fields) -> TlsFiles | None:
    below = fields.fields("tls")
    if below is None:
        return None
    tls = TlsFiles(ca=below.file("ca"), cert=below.file("cert"), key=below.file("key"))
    if (tls.cert is None) != (tls.key is None):
        below.report("cert", "and `key` belong together", "Give both, or neither")
    below.finish()
    return tls


def _logs(fields: Fields) -> LogFiles:
    below = fields.fields("logs")
    if below is None:
        return LogFiles()
    logs = LogFiles(slow=below.path("slow"), error=below.path("error"))
    below.finish()
    return logs


def _address(fields: Fields, key: str) -> str | None:
    address = fields.text(key)
    if address is None:
        return None
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        fields.report(key, "is not an address", "Write it as `host:port`")
    return address


def _check_name(fields: Fields, kind: str) -> None:
    if not is_segment(fields.name):
        remedy = "Use lower-case letters, digits, and - _ . in between"
        fields.document.report(fields.node, f"{fields.name!r} cannot name {kind}", remedy)
