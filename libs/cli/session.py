"""From a command's options to the running mesh: which state directory, which mesh, and whose token."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from libs.cli.failures import CommandError, ExitStatus
from libs.cli.mesh.state import MeshDirectory, MeshState
from libs.cli.program import command
from libs.client import StorexClient
from libs.config import ADMIN, ConfigError, UserConfig, load_config
from libs.identity import LocalIssuer

DEFAULT_FILE = Path("storex.yaml")
DEFAULT_STATE_DIR = Path(".storex")
TOKEN_SECONDS = 900.0
"""How long a command's token lives."""

FileOption = Annotated[
    Path | None, typer.Option("--file", "-f", help="The configuration file; ./storex.yaml if there is one.")
]
StateDirOption = Annotated[
    Path | None, typer.Option("--state-dir", help="The state directory of the mesh, instead of the file.")
]
UserOption = Annotated[str, typer.Option("--as", metavar="USER", help="The user of the file to act as.")]
SnapshotOption = Annotated[
    str, typer.Option("--snapshot", metavar="NAME", help="Ask a snapshot in place of the live instance.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mesh lives: its state directory, and its configuration file if that is known."""

    state_dir: Path
    file: Path | None

    @classmethod
    def find(cls, file: Path | None, state_dir: Path | None) -> Place:
        """Find it from the options, else in the working directory. Raises CommandError, ConfigError."""
        if state_dir is not None:
            return cls(state_dir.expanduser().absolute(), file)
        if file is None and not DEFAULT_FILE.is_file() and DEFAULT_STATE_DIR.is_dir():
            return cls(DEFAULT_STATE_DIR.absolute(), None)
        found = config_file(file)
        try:
            return cls(load_config(found).state_dir, found)
        except ConfigError:
            # A file that was broken while its mesh runs must not stand between a person and `storex down`.
            usual = found.absolute().parent / DEFAULT_STATE_DIR
            if MeshDirectory(usual).is_held():
                return cls(usual, found)
            raise

    def mesh(self) -> MeshState:
        """The mesh that runs there. Raises CommandError when none does."""
        state = MeshDirectory(self.state_dir).read()
        if state is None:
            message = f"No mesh is running in {self.state_dir}."
            raise CommandError(
                message,
                f"Start it with `{command('up', file=self.file or DEFAULT_FILE)}`.",
                ExitStatus.UNAVAILABLE,
                reason="NOT_RUNNING",
            )
        return state


def config_file(file: Path | None) -> Path:
    """The configuration file that the options name, else ./storex.yaml. Raises CommandError."""
    if file is not None:
        return file
    if DEFAULT_FILE.is_file():
        return DEFAULT_FILE
    remedy = "Name one with -f, or the state directory with --state-dir."
    raise CommandError("There is no storex.yaml here.", remedy, ExitStatus.CONFIG)


def connect(file: Path | None, state_dir: Path | None, user: str, snapshot: str = "") -> StorexClient:
    """A client of the running mesh that acts as a user. Raises CommandError, ConfigError, OSError.

    With a snapshot's name it is answered from that.
    """
    place = Place.find(file, state_dir)
    mesh = place.mesh()
    person = find_user(user, place.file or Path(mesh.config))
    issuer = LocalIssuer.open(place.state_dir)
    token = issuer.issue_user(person.name, person.teams, person.roles, TOKEN_SECONDS)
    return StorexClient(mesh.coordinator, lambda: token, snapshot)


def find_user(name: str, file: Path) -> UserConfig:
    """The user of that name in a configuration file. Raises CommandError with the names that there are, ConfigError."""
    if name == ADMIN.name:
        return ADMIN
    users = load_config(file).users
    if name not in users:
        remedy = f"Known: {', '.join(users)}. Add others below `users:`."
        raise CommandError(f"There is no user {name!r} in {file}.", remedy, ExitStatus.NOT_FOUND)
    return users[name]
