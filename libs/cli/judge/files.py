"""Candidates and scenarios as files that people write: YAML in the field names of the contract."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message

from libs.cli.failures import CommandError, ExitStatus
from storex.agent.v1.candidate_pb2 import Candidate
from storex.judge.v1.scenario_pb2 import Scenario

M = TypeVar("M", bound=Message)


def read_candidate(path: Path) -> Candidate:
    """A candidate; without a name it bears the file's. Raises CommandError."""
    candidate = _parsed(path, read_yaml(path), Candidate())
    candidate.name = candidate.name or path.stem
    return candidate


def read_scenarios(path: Path) -> list[Scenario]:
    """The scenarios of a file, one or a list, or of every YAML file in a folder. Raises CommandError."""
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    if not files:
        raise CommandError(f"There is no YAML file in {path}.", "Name a file, or a folder with some.", ExitStatus.USAGE)
    scenarios = []
    for file in files:
        content = read_yaml(file)
        entries = content if isinstance(content, list) else [content]
        scenarios += [_parsed(file, entry, Scenario()) for entry in entries]
    return scenarios


def read_yaml(path: Path) -> object:
    """What stands in a file. Raises CommandError."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(
            f"{path} cannot be read: {error.strerror}.", "Name another file.", ExitStatus.USAGE
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = f"{path}:{line + 1}" if line is not None else str(path)
        raise CommandError(f"{where} is not YAML.", "Mend it.", ExitStatus.USAGE) from None


def _parsed(path: Path, content: object, message: M) -> M:
    fields = ", ".join(field.name for field in message.DESCRIPTOR.fields)
    remedy = f"A {message.DESCRIPTOR.name.lower()} has {fields}."
    if not isinstance(content, dict):
        raise CommandError(f"{path} holds no {message.DESCRIPTOR.name.lower()}.", remedy, ExitStatus.USAGE)
    try:
        return ParseDict(content, message)
    except ParseError as error:
        raise CommandError(f"{path}: {error}.", remedy, ExitStatus.USAGE) from None
