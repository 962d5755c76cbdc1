"""The schema of `storex.yaml`: which keys there are, which are required, and what they default to."""

from __future__ import annotations

from pathlib import Path

from libs.config.document import Document, Fields
from libs.config.model import (
    InstanceConfig,
    LogFiles,
    ModelEndpoint,
    ModelsConfig,
    RegionConfig,
    StorexConfig,
    TlsFiles,
    UserConfig,
)
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
    config = StorexConfig(
        path=document.path,
        state_dir=root.path("state_dir") or document.path.parent / _DEFAULT_STATE_DIR,
        users=_users(root),
        regions=regions,
        policy=root.folder("policy"),
        egress=root.file("egress"),
        models=_models(root),
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
    instances = {key: _instance(name, key, below) for key, below in fields.entries("instances", required=True)}
    region = RegionConfig(
        name=name,
        domain=fields.text("domain", required=True) or "",
        cloud=fields.text("cloud") or "",
        environment=fields.text("environment") or "",
        shard=_address(fields, "shard"),
        instances=instances,
    )
    fields.finish()
    return region


def _instance(region: str, name: str, fields: Fields) -> InstanceConfig:
    _check_name(fields, "an instance")
    password_env, password_file = _secret(fields, "password", required=True)
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
        declared=fields.declared("password_env", "password_file"),
    )
    fields.finish()
    return instance


def _secret(fields: Fields, key: str, *, required: bool) -> tuple[str | None, Path | None]:
    env, file = fields.text(f"{key}_env"), fields.file(f"{key}_file")
    if env is not None and file is not None:
        fields.report(f"{key}_file", f"is given beside {key}_env", "Keep one of the two")
    elif required and env is None and file is None:
        fields.report(f"{key}_env", "is missing", f"Add `{key}_env:` or `{key}_file:`; a secret never stands in here")
    return env, file


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


def _models(root: Fields) -> ModelsConfig:
    below = root.fields("models")
    if below is None:
        return ModelsConfig()
    endpoints = {name: _endpoint(name, fields) for name, fields in below.entries("endpoints")}
    domains = below.lists("domains")
    for domain, names in domains.items():
        for unknown in [name for name in names if name not in endpoints]:
            below.report("domains", f"lets {domain!r} use {unknown!r}, which is no endpoint", "Add it to `endpoints`")
    below.finish()
    return ModelsConfig(endpoints, domains)


def _endpoint(name: str, fields: Fields) -> ModelEndpoint:
    api_key_env, api_key_file = _secret(fields, "api_key", required=False)
    base_url = fields.text("base_url", required=True) or ""
    if base_url and not base_url.startswith(("http://", "https://")):
        fields.report("base_url", "is not an http address", "Write it as `https://host/v1`")
    endpoint = ModelEndpoint(
        name=name,
        base_url=base_url,
        model=fields.text("model", required=True) or "",
        api_key_env=api_key_env,
        api_key_file=api_key_file,
        declared=fields.declared("api_key_env", "api_key_file"),
    )
    fields.finish()
    return endpoint


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
