"""Policy files as text: rules, role declarations and role links, each with the file and line that it came from."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TypeVar

from libs.core.names import is_segment
from libs.policy.decision import CLASSES
from libs.policy.patterns import PatternError, What, Where, parse_what, parse_where
from libs.policy.vocabulary import Vocabulary

DEFAULTS = Path(__file__).parent / "defaults"
MODEL_FILE = "model.conf"
RULE_COLUMNS = ("who", "where", "what", "class", "until", "effect")
Signature = tuple[tuple[str, int, int, int], ...]
REGIONS = "regions"
LARGEST_FILE_BYTES = 64 * 1024 * 1024
"""A policy file larger than this is refused unread."""

ITEMS_A_TURN = 500
T = TypeVar("T")

_SUBJECT = re.compile(r"(user|service|acting|role|team):[\x21-\x2b\x2d-\x7e]{1,250}", re.ASCII)
_ROLE = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)
_ACCEPTED = re.compile(r"#\s*accepted\(([a-z-]+)\):\s*\S")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a policy file. `code` is empty for what makes a file unreadable, else the lint's code."""

    file: str
    line: int
    message: str
    code: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class PolicyError(Exception):
    """The policy cannot be loaded; it lists every problem with its file and line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in problems))


class Rule(NamedTuple):
    """One `p` line, read. The first six names are those of the model's policy definition."""

    sub: str
    where: Where
    what: What
    cls: str
    until: float
    eft: str
    file: str
    line: int
    ordinal: int

    @property
    def id(self) -> str:
        """`roles.csv:14`."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Link:
    """One `g` line: `member` holds `role` until a moment (seconds since the epoch)."""

    member: str
    role: str
    until: float
    file: str
    line: int


@dataclass(slots=True)
class PolicyText:
    """All that the files of a policy say."""

    rules: list[Rule] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    roles: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Declared roles: name -> (where it is declared as `file:line`, what it is for)."""
    accepted: dict[str, frozenset[str]] = field(default_factory=dict)
    """Lint codes that a comment above a rule accepts, by rule id."""


def read_folder(folder: Path | None, region: str | None = None) -> dict[str, bytes]:
    """The built-in files and those of `folder`, by name; a file of the same name replaces the built-in one.

    With a region, the files of `regions/REGION/` in the folder too. Raises PolicyError for what cannot be read.
    """
    contents = {path.name: path.read_bytes() for path in sorted(DEFAULTS.glob("*.csv"))}
    try:
        for name, path in _policy_files(folder, region):
            if path.stat().st_size > LARGEST_FILE_BYTES:
                raise PolicyError([Problem(name, 0, f"larger than {LARGEST_FILE_BYTES} bytes; split it")])
            contents[name] = path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise PolicyError([Problem(str(folder), 0, f"cannot be read ({reason}); check `policy:`")]) from None
    return contents


def signature_of(folder: Path | None, region: str | None = None) -> Signature:
    """What changes when the files do; costs a look at the folder, not at what the files hold."""
    try:
        stats = [(name, path.stat()) for name, path in _policy_files(folder, region)]
    except OSError:
        return (("", 0, 0, 0),)
    return tuple((name, stat.st_mtime_ns, stat.st_size, stat.st_ino) for name, stat in stats)


def regions_of(folder: Path | None) -> list[str]:
    """The regions that have files of their own in the folder."""
    home = folder / REGIONS if folder else None
    return sorted(path.name for path in home.iterdir() if path.is_dir()) if home and home.is_dir() else []


def _policy_files(folder: Path | None, region: str | None) -> list[tuple[str, Path]]:
    if folder is None:
        return []
    files = [(path.name, path) for path in folder.iterdir() if path.suffix == ".csv" or path.name == MODEL_FILE]
    if region is not None and is_segment(region) and (own := folder / REGIONS / region).is_dir():
        files += [(f"{REGIONS}/{region}/{path.name}", path) for path in own.iterdir() if path.suffix == ".csv"]
    return sorted(files)


def digest_of(contents: Mapping[str, bytes]) -> str:
    """The version of a policy: the same files give the same one everywhere."""
    digest = hashlib.sha256()
    for name in sorted(contents):
        for part in (name.encode(), contents[name]):
            digest.update(len(part).to_bytes(8, "big") + part)
    return f"pol_{digest.hexdigest()[:12]}"


def parse_files(contents: Mapping[str, bytes], vocabulary: Vocabulary) -> PolicyText:
    """Read all rule files. Raises PolicyError with every problem found."""
    text, problems = PolicyText(), list[Problem]()
    built_in = {path.name for path in DEFAULTS.iterdir()}
    for name in sorted(contents, key=lambda name: (name not in built_in, name)):
        if name != MODEL_FILE:
            problems.extend(_parse_file(name, contents[name], vocabulary, text))
    problems.extend(_undeclared_roles(text))
    if problems:
        raise PolicyError(problems)
    return text


def _parse_file(name: str, content: bytes, vocabulary: Vocabulary, text: PolicyText) -> Iterator[Problem]:
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        yield Problem(name, content.count(b"\n", 0, error.start) + 1, "not UTF-8 text; save it as UTF-8")
        return
    if lines[-1].strip():
        yield Problem(name, len(lines), "the last line has no end; a file that was cut short must not pass for a whole")
    whats: dict[str, What] = {}
    accepted: set[str] = set()
    for number, raw in enumerate(yielding(lines), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            found = _ACCEPTED.match(line)
            accepted = accepted | {found.group(1)} if found else (accepted if line else set())
            continue
        columns = [column.strip() for column in line.split(",")]
        try:
            _parse_line(columns, name, number, vocabulary, text, whats)
        except PatternError as error:
            yield Problem(name, number, str(error))
        else:
            if accepted:
                text.accepted[f"{name}:{number}"] = frozenset(accepted)
        accepted = set()


def _parse_line(
    columns: list[str], file: str, number: int, vocabulary: Vocabulary, text: PolicyText, whats: dict[str, What]
) -> None:
    if file.startswith(f"{REGIONS}/") and (columns[0] != "p" or columns[-1] != "deny"):
        raise PatternError("a region's own files can only narrow: they hold rules that deny, and nothing else")
    if columns[0] == "p":
        text.rules.append(_rule(columns[1:], file, number, vocabulary, len(text.rules), whats))
    elif columns[0] == "g":
        text.links.append(_link(columns[1:], file, number))
    elif columns[0] == "role":
        _declare(columns[1:], f"{file}:{number}", text)
    else:
        raise PatternError("a line starts with p (a rule), g (a role for somebody), role (a declaration) or #")


def _rule(
    columns: list[str], file: str, line: int, vocabulary: Vocabulary, ordinal: int, whats: dict[str, What]
) -> Rule:
    if len(columns) != len(RULE_COLUMNS):
        raise PatternError(f"a rule has {len(RULE_COLUMNS)} columns after p: {', '.join(RULE_COLUMNS)}")
    who, where, what, cls, until, effect = columns
    if who != "*":
        _check_subject(who)
    if cls not in CLASSES:
        raise PatternError(f"class is one of {', '.join(CLASSES)}; customer data never leaves its region")
    if effect not in ("allow", "deny"):
        raise PatternError("effect is allow or deny")
    if what not in whats:
        whats[what] = parse_what(what, vocabulary)
    return Rule(who, parse_where(where), whats[what], cls, parse_until(until), effect, file, line, ordinal)


def _link(columns: list[str], file: str, line: int) -> Link:
    if len(columns) not in (2, 3):
        raise PatternError("a role link is g, WHO, role:NAME[, until] with WHO as in a rule")
    member, role = columns[:2]
    _check_subject(member)
    if not role.startswith("role:"):
        raise PatternError(f"'{role}' is not role:NAME")
    return Link(member, role, parse_until(columns[2]) if len(columns) == 3 else float("inf"), file, line)


@lru_cache(maxsize=65_536)
def _check_subject(who: str) -> None:
    if not _SUBJECT.fullmatch(who):
        raise PatternError(f"{who!a} is not user:NAME, service:NAME, acting:NAME, role:NAME or team:NAME in ASCII")


def _declare(columns: list[str], place: str, text: PolicyText) -> None:
    name = columns[0] if columns else ""
    if not _ROLE.fullmatch(name):
        raise PatternError("a role is declared as role, NAME, what it is for; NAME in lower case")
    if name in text.roles:
        raise PatternError(f"the role {name} is declared already in {text.roles[name][0]}; keep one of the two")
    text.roles[name] = (place, ", ".join(columns[1:]))


@lru_cache(maxsize=4_096)
def parse_until(text: str) -> float:
    """Seconds since the epoch of `never`, `2027-01-31` (its first moment) or `2027-01-31T18:00:00Z`, all UTC.

    Raises PatternError for anything else, a moment without a zone included.
    """
    if text == "never":
        return float("inf")
    try:
        if len(text) == len("2027-01-31"):
            return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise PatternError(f"{text!a} in until is not never, 2027-01-31 or 2027-01-31T18:00:00Z (UTC)") from None


def _undeclared_roles(text: PolicyText) -> Iterator[Problem]:
    declared = {f"role:{name}" for name in text.roles}
    rules = ((rule.sub, rule.file, rule.line) for rule in text.rules)
    links = ((name, link.file, link.line) for link in text.links for name in (link.member, link.role))
    for subject, file, line in chain(rules, links):
        if subject.startswith("role:") and subject not in declared:
            name, known = subject.removeprefix("role:"), ", ".join(sorted(text.roles))
            yield Problem(file, line, f"the role {name} is not declared (declared are {known}); add role, {name}, why")


def yielding(items: Iterable[T]) -> Iterator[T]:
    """The items; every so many, other threads get their turn, so that no call waits while a policy is built."""
    for position, item in enumerate(items):
        if not position % ITEMS_A_TURN:
            time.sleep(0)
        yield item
