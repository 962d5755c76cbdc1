"""Policy tests as tables: who may do what where, written down beside the rules and checked by `storex policy test`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from libs.core.resources import Resource
from libs.policy.decision import CLASSES
from libs.policy.files import PolicyError, Problem, parse_until
from libs.policy.patterns import PatternError
from libs.policy.snapshot import PolicySnapshot, load_policy

SUFFIX = ".test.yaml"
OUTCOMES = ("deny", "allow", *CLASSES)
"""What a case can expect: a denial, an allowance whatever the class, or the highest class that is seen in clear."""

_SECTIONS = frozenset({"principals", "resources", "cases"})
_CASE_KEYS = frozenset({"who", "through", "what", "where", "expect", "at"})
_RESOURCE_KEYS = ("region", "domain", "cloud", "environment", "team")


@dataclass(frozen=True, slots=True)
class TableReport:
    """How many cases were checked, and those that did not come out as the table says."""

    checked: int
    failures: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Principal:
    subject: str
    kind: str
    teams: frozenset[str]
    roles: frozenset[str]


@dataclass(slots=True)
class _CaseClock:
    seconds: float = 0.0

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds


class _Table:
    """One file, read: the cases can be walked with everything they name resolved."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._node: Any = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(data, Mapping) or set(data) != _SECTIONS:
            raise self.problem(1, f"a table has the sections {', '.join(sorted(_SECTIONS))}, and no others")
        self.principals = {name: self._principal(name, value) for name, value in self._section(data, "principals")}
        self.resources = {name: self._resource(name, value) for name, value in self._section(data, "resources")}
        self.cases: list[Any] = data["cases"] if isinstance(data["cases"], list) else []
        if not self.cases:
            raise self.problem(1, "cases is an empty list; a table without cases shows nothing")

    def line_of(self, case: int) -> int:
        """The line on which a case begins."""
        cases = next(value for key, value in self._node.value if key.value == "cases")
        line: int = cases.value[case].start_mark.line
        return line + 1

    def problem(self, line: int, message: str) -> PolicyError:
        """An error about this file."""
        return PolicyError([Problem(self.name, line, message)])

    def _section(self, data: Mapping[str, Any], name: str) -> list[tuple[str, Mapping[str, Any]]]:
        section = data[name]
        if not isinstance(section, Mapping) or not all(isinstance(value, Mapping) for value in section.values()):
            raise self.problem(1, f"{name} is a mapping of names to mappings")
        return [(str(key), value) for key, value in section.items()]

    def _principal(self, name: str, value: Mapping[str, Any]) -> _Principal:
        subject = str(value.get("subject", f"user:{name}"))
        if not set(value) <= {"subject", "teams", "roles"}:
            raise self.problem(1, f"the principal {name} has keys other than subject, teams and roles")
        teams, roles = (frozenset(map(str, value.get(key, ()))) for key in ("teams", "roles"))
        return _Principal(subject, subject.partition(":")[0], teams, roles)

    def _resource(self, name: str, value: Mapping[str, Any]) -> Resource:
        if set(value) - {"instance"} != set(_RESOURCE_KEYS):
            raise self.problem(
                1, f"the resource {name} needs the keys {', '.join(_RESOURCE_KEYS)}; instance may differ"
            )
        return Resource(instance=str(value.get("instance", name)), **{key: str(value[key]) for key in _RESOURCE_KEYS})


def run_tables(folder: Path) -> TableReport:
    """Check every `*.test.yaml` of a policy folder against its rules; a resource's region narrows as its shard does.

    A case may list several `who`, `what` and `where`; each combination is checked. Raises PolicyError for a policy or
    a table that cannot be read, and for a folder without tables.
    """
    paths = sorted(folder.glob(f"*{SUFFIX}"))
    if not paths:
        raise PolicyError([Problem(str(folder), 0, f"holds no table; write one as NAME{SUFFIX}")])
    policies = _Policies(folder)
    checked, failures = 0, list[Problem]()
    for path in paths:
        try:
            table = _Table(path)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            mark = getattr(error, "problem_mark", None)
            raise PolicyError([Problem(path.name, mark.line + 1 if mark else 1, "not readable as YAML")]) from None
        for number, case in enumerate(table.cases):
            line = table.line_of(number)
            for message in _check(table, line, case, policies):
                checked += 1
                if message:
                    failures.append(Problem(table.name, line, message))
    return TableReport(checked, tuple(failures))


class _Policies:
    """The folder's policy as each region's shard loads it, at the moment that a case speaks of."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._clock = _CaseClock()
        self._loaded: dict[str, PolicySnapshot] = {}

    def at(self, region: str, seconds: float) -> PolicySnapshot:
        self._clock.seconds = seconds
        if region not in self._loaded:
            self._loaded[region] = load_policy(self._folder, region=region, clock=self._clock)
        return self._loaded[region]


def _check(table: _Table, line: int, case: Any, policies: _Policies) -> Iterator[str]:
    """A message for every combination of a case: empty where it came out as expected."""
    if not isinstance(case, Mapping) or not {"who", "what", "where", "expect"} <= set(case) <= _CASE_KEYS:
        raise table.problem(line, "a case has who, what, where and expect; through and at are optional")
    if case["expect"] not in OUTCOMES:
        raise table.problem(line, f"expect is one of {', '.join(OUTCOMES)}")
    through = [_named(table, line, table.principals, name) for name in _several(case.get("through", ()))]
    seconds = _moment(table, line, case.get("at"))
    for who, what, where in itertools.product(*(_several(case[key]) for key in ("who", "what", "where"))):
        principals = [_named(table, line, table.principals, who), *through]
        resource = _named(table, line, table.resources, where)
        policy = policies.at(resource.region, seconds)
        yield _compare(policy, principals, str(what), resource, str(case["expect"]), f"{who} {what} {where}")


def _compare(
    policy: PolicySnapshot, principals: Sequence[_Principal], what: str, resource: Resource, expect: str, case: str
) -> str:
    rpc = what.removeprefix("/") if "/" in what else ""
    permission = policy.vocabulary.permission_of.get(rpc, "") if rpc else what
    if permission not in policy.vocabulary.permissions:
        return f"{case}: there is no such permission or RPC"
    decision = policy.decide(principals, permission, resource, rpc=rpc)
    clear = policy.clear_classes(principals, resource, permission, rpc=rpc)
    seen = [name for name in CLASSES if name.upper() in clear]
    got = seen[-1] if decision.allowed and seen else "deny"
    right = got != "deny" if expect == "allow" else got == expect
    return "" if right else f"{case}: expected {expect}, got {got} ({decision.rule})"


def _several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _named(table: _Table, line: int, known: Mapping[str, Any], name: Any) -> Any:
    if name not in known:
        raise table.problem(line, f"{name} is not among the table's own: {', '.join(sorted(known))}")
    return known[name]


def _moment(table: _Table, line: int, value: Any) -> float:
    if value is None:
        return 0.0
    try:
        return parse_until(str(value))
    except PatternError:
        raise table.problem(line, "at is a quoted UTC time such as '2027-01-31T18:00:00Z'") from None
