"""The values that a configuration file is read into: frozen, comparable, and free of secrets."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from libs.config.errors import ConfigError, Problem
from libs.core.names import ResourceName
from libs.core.resources import Resource


@dataclass(frozen=True, slots=True)
class Declared:
    """Where a value stands in its file; no part of its equality, so that moving a line is not a change."""

    file: Path = field(compare=False)
    line: int = field(compare=False)

    def problem(self, message: str, remedy: str) -> Problem:
        """A problem at this place."""
        return Problem(self.file, self.line, message, remedy)


@dataclass(frozen=True, slots=True)
class SecretSource:
    """A secret's whereabouts: an environment variable or a file, read anew each time."""

    env: str | None
    file: Path | None
    key: str
    declared: Declared = field(repr=False)

    def read(self) -> str:
        """The secret, without a trailing line end. Raises ConfigError that names the source, never the value."""
        if self.env is not None:
            value = os.environ.get(self.env)
            if value is None:
                raise self._unreadable(
                    f"the environment variable {self.env} is not set",
                    f"Set it where the service starts, or use {self.key}_file",
                )
            return value
        if self.file is None:
            raise self._unreadable(f"neither {self.key}_env nor {self.key}_file is given", "Give one of them")
        try:
            return self.file.read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise self._unreadable(
                f"{self.key}_file {self.file} cannot be read: {error.strerror}",
                "Create it with the secret as its only line, readable by the user that runs Storex",
            ) from None
        except UnicodeDecodeError:
            raise self._unreadable(f"{self.key}_file {self.file} is not UTF-8 text", "Save it as UTF-8") from None

    def _unreadable(self, message: str, remedy: str) -> ConfigError:
        return ConfigError([self.declared.problem(message, remedy)])


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The files of a TLS connection to a database: the authority to trust, and a client certificate with its key."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class LogFiles:
    """Log files of an instance that its shard can read."""

    slow: Path | None = None
    error: Path | None = None


@dataclass(frozen=True, slots=True)
class InstanceConfig:
    """A database instance of the inventory. Exactly one of `password_env` and `password_file` is set.

    `declared` is where that one stands.
    """

    name: str
    region: str
    host: str
    port: int
    user: str
    password_env: str | None
    password_file: Path | None
    team: str
    labels: Mapping[str, str]
    tls: TlsFiles | None
    logs: LogFiles
    explain: bool
    """Whether statements that ran there may be explained: their texts, with literals, are then kept in memory."""
    declared: Declared = field(repr=False)

    @property
    def resource_name(self) -> ResourceName:
        """`regions/{region}/instances/{name}`."""
        return ResourceName(self.region, self.name)

    def password(self) -> str:
        """The password as it is now. Raises ConfigError that says where it was looked for, never the value."""
        return SecretSource(self.password_env, self.password_file, "password", self.declared).read()


@dataclass(frozen=True, slots=True)
class SnapshotConfig:
    """What a region does with snapshots by itself, and within which bounds it keeps them, newest first."""

    on_finding: bool = False
    """Whether one is made when a finding opens."""
    after_investigation: bool = False
    """Whether one is made when an investigation has ended."""
    apart_seconds: int = 600
    """How long after one that was made by itself the next may be made of the same instance."""
    most_an_hour: int = 12
    """How many are made by themselves in an hour, of all instances together."""
    keep_days: int = 30
    keep_count: int = 500
    keep_bytes: int = 4 * 1024**3


@dataclass(frozen=True, slots=True)
class StoreDatabase:
    """The database that keeps a region's history, on a server of its own. One of the password's two places is set."""

    host: str
    port: int
    user: str
    password_env: str | None
    password_file: Path | None
    database: str
    tls: TlsFiles | None
    declared: Declared = field(repr=False)

    def password(self) -> str:
        """The password as it is now. Raises ConfigError that says where it was looked for, never the value."""
        return SecretSource(self.password_env, self.password_file, "password", self.declared).read()


@dataclass(frozen=True, slots=True)
class RegionConfig:
    """A region: its law, its cloud, the address that its shard listens on (None: a free port), and its instances."""

    name: str
    domain: str
    cloud: str
    environment: str
    shard: str | None
    instances: Mapping[str, InstanceConfig]
    lab: bool = False
    """Whether all of its data is made up, so that copies of it may leave it in plain."""
    snapshots: SnapshotConfig = field(default_factory=SnapshotConfig)
    store: StoreDatabase | None = None
    """Where its history is kept; None for a file below the state directory."""

    def resource(self, instance: InstanceConfig) -> Resource:
        """What policy knows of one of its instances."""
        return Resource(
            region=self.name,
            domain=self.domain,
            cloud=self.cloud,
            environment=self.environment,
            team=instance.team,
            instance=instance.name,
        )


@dataclass(frozen=True, slots=True)
class UserConfig:
    """A person whom the local issuer may issue tokens for; `declared` is where the roles stand, None for no file."""

    name: str
    teams: tuple[str, ...]
    roles: tuple[str, ...]
    declared: Declared | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in the configured currency for a million tokens sent and received."""

    input: float = 0.0
    output: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelBudget:
    """Most that models may take in a UTC day, tokens both ways and money; None for no limit."""

    tokens: int | None = None
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class ModelBudgets:
    """Daily budgets: of each person and each team, and of those that have their own."""

    user: ModelBudget = ModelBudget()
    team: ModelBudget = ModelBudget()
    users: Mapping[str, ModelBudget] = field(default_factory=dict)
    teams: Mapping[str, ModelBudget] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelEndpoint:
    """An OpenAI-compatible endpoint and the model to ask for there; `declared` is where its key's source stands.

    `api` is `chat` (chat completions) or `responses`. `context_tokens` is what the model takes, its answer included; 0
    where nothing needs to be cut.
    """

    name: str
    base_url: str
    model: str
    api_key_env: str | None
    api_key_file: Path | None
    declared: Declared = field(repr=False)
    api: str = "chat"
    timeout_seconds: float = 30.0
    price: Price = Price()
    context_tokens: int = 0
    max_output_tokens: int = 2048

    def api_key(self) -> str | None:
        """The key as it is now, None where the endpoint needs none. Raises ConfigError, never with the value."""
        if self.api_key_env is None and self.api_key_file is None:
            return None
        return SecretSource(self.api_key_env, self.api_key_file, "api_key", self.declared).read()


@dataclass(frozen=True, slots=True)
class ModelsConfig:
    """Model endpoints, and for each regulatory domain those that may see its data, in order of preference."""

    endpoints: Mapping[str, ModelEndpoint] = field(default_factory=dict)
    domains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    currency: str = "USD"
    budgets: ModelBudgets = field(default_factory=ModelBudgets)

    def allowed(self, domains: Iterable[str]) -> list[ModelEndpoint]:
        """The endpoints that every one of `domains` allows, in the first one's order; none for no domain at all."""
        lists = [self.domains.get(domain, ()) for domain in sorted(set(domains))]
        if not lists:
            return []
        return [self.endpoints[name] for name in lists[0] if all(name in names for names in lists)]


@dataclass(frozen=True, slots=True)
class ToolSeconds:
    """The deadline of a tool's calls; `declared` is where it stands."""

    seconds: float
    declared: Declared = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SpecialistSettings:
    """What a specialist has in the place of its folder's own; None or empty where that stands."""

    declared: Declared = field(repr=False)
    prompt: str | None = None
    tools: tuple[str, ...] = ()
    model: str | None = None
    steps: int | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """Limits of one question, None for the agent's own; times in seconds, money in the models' currency."""

    steps: int | None = None
    tool_calls: int | None = None
    tokens: int | None = None
    cost: float | None = None
    wall_seconds: float | None = None
    tool_seconds: float | None = None
    model_seconds: float | None = None
    tools: Mapping[str, ToolSeconds] = field(default_factory=dict)
    prompts: Path | None = None
    """A folder of prompts, NAME/VERSION.md, beside those that come with Storex."""
    specialists: Mapping[str, SpecialistSettings] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JudgeConfig:
    """Who grades reports, and when that may keep a candidate out."""

    models: tuple[str, ...] = ()
    """The endpoints that grade, in order of preference; none of them writes the reports of a candidate."""
    kappa: float = 0.6
    """The least agreement with people. Landis and Koch (1977) call more than this substantial."""
    labels: int = 20
    """The least number of people's answers that it is measured over, for each dimension."""


@dataclass(frozen=True, slots=True)
class StorexConfig:
    """A whole `storex.yaml`; all paths are absolute."""

    path: Path
    state_dir: Path
    users: Mapping[str, UserConfig]
    regions: Mapping[str, RegionConfig]
    policy: Path | None
    egress: Path | None
    models: ModelsConfig
    agent: AgentSettings = field(default_factory=AgentSettings)
    judge: JudgeConfig = field(default_factory=JudgeConfig)

    @property
    def instances(self) -> Iterator[InstanceConfig]:
        """Every instance of every region."""
        return (instance for region in self.regions.values() for instance in region.instances.values())
