"""Command lines for every command of `storex` that reads, taken from the command itself."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import typer

from libs.cli.__main__ import run
from libs.cli.app import app
from libs.cli.commands.diag import COLLECTORS
from tests.canary.garden import INSTANCE, REGION
from tests.canary.requests import QUESTION

_OF_THE_JUDGE = {"judge add", "judge run", "judge gate", "judge record"}
ACTING = frozenset({"up", "down", "demo", "lab run", "snapshot export", "snapshot import"} | _OF_THE_JUDGE)
"""What starts, stops, copies and replays things has tests of its own."""
LASTING = frozenset({"--watch"})
"""Switches that make a command go on until Ctrl-C."""

_VALUES: dict[str, list[str]] = {
    "collector": list(COLLECTORS),
    "name": [INSTANCE],
    "target": [INSTANCE, "service:shop", f"regions/{REGION}"],
    "question": [QUESTION],
    "service": ["orders"],
    "permission": ["diagnostics.read", "no.such"],
    "run_id": ["run_0123456789abcdef"],
    "baseline": ["run_0123456789abcdef"],
    "candidate": ["run_fedcba9876543210"],
}
"""What to give a required argument; a command with a new one needs a line here."""


def reading_commands() -> dict[str, Any]:
    """The commands by their words, such as `policy explain`."""
    return {words: command for words, command in _leaves(typer.main.get_command(app), "") if words not in ACTING}


def _leaves(command: Any, words: str) -> Iterator[tuple[str, Any]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield words, command
        return
    for name, child in below.items():
        yield from _leaves(child, f"{words} {name}".strip())


def lines_for(words: str, command: Any, user: str, *, thorough: bool) -> Iterator[list[str]]:
    """Command lines of one command: every value of its arguments, plain and with each of its switches.

    If not thorough, each first argument once, and either plain or as JSON, by the user.
    """
    needed = [argument for argument in command.params if argument.param_type_name == "argument" and argument.required]
    optional = [entry for entry in command.params if entry.param_type_name == "argument" and entry.name in _VALUES]
    arguments = [entry for entry in command.params if entry in needed or entry in optional]
    flags = [entry.opts[0] for entry in command.params if getattr(entry, "is_flag", False) and entry.name != "help"]
    switches = [flag for flag in flags if flag not in LASTING]
    takes_user = ["--as", user] if any("--as" in entry.opts for entry in command.params) else []
    choices = list(itertools.product(*(_VALUES[str(entry.name)] for entry in arguments)))
    for chosen in choices if thorough or len(arguments) < 2 or "collector" in words else _distinct(choices):
        for switch in ["", *switches] if thorough else ["--json" if user == "oncall" else ""]:
            yield [*words.split(), *chosen, *takes_user, *([switch] if switch else [])]


def _distinct(choices: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Each value of the first argument once."""
    return list({choice[0]: choice for choice in reversed(choices)}.values())


def run_line(arguments: list[str], config: Path) -> tuple[int, bytes]:
    """Run a command in this process; its status and all that it printed."""
    out, err = io.StringIO(), io.StringIO()
    takes_file = any("-f" in parameter.opts for parameter in _found(arguments).params)
    with redirect_stdout(out), redirect_stderr(err):
        status = run([*arguments, *(["-f", str(config)] if takes_file else [])])
    return status, (out.getvalue() + err.getvalue()).encode()


def _found(arguments: list[str]) -> Any:
    commands = reading_commands()
    return next(command for words, command in commands.items() if arguments[: len(words.split())] == words.split())
