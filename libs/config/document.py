"""YAML read as nodes, not as values, so that every problem knows its line and duplicate keys are seen."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from libs.config.errors import ConfigError, Problem
from libs.config.model import Declared

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?", re.ASCII)
_MERGE = _TAG + "merge"


class Document:
    """A file under reading: collects problems until `finish` raises them all at once."""

    def __init__(self, path: Path, *, check_files: bool = False, first_key: str = "regions") -> None:
        self.path = path
        self._first_key = first_key
        self.check_files = check_files
        self._problems: dict[Problem, None] = {}

    def root(self) -> Fields:
        """The top-level mapping. Raises ConfigError where there is none."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except OSError as error:
            raise self._unusable(
                f"cannot be read: {error.strerror}", "Name a file that exists and is readable"
            ) from None
        except UnicodeDecodeError:
            raise self._unusable("is not UTF-8 text", "Save it as UTF-8") from None
        try:
            node = yaml.compose(text, Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 0
            problem = Problem(self.path, line, f"not valid YAML: {error.problem}", "Check indentation and quotes there")
            raise ConfigError([problem]) from None
        except (yaml.YAMLError, RecursionError):
            raise self._unusable("is not valid YAML", "Check it for control characters and deep nesting") from None
        if not isinstance(node, yaml.MappingNode):
            raise self._unusable("holds no settings", f"Start it with `{self._first_key}:`")
        return Fields(self, node)

    def report(self, node: yaml.Node | None, message: str, remedy: str) -> None:
        """Note a problem at a node, once."""
        line = node.start_mark.line + 1 if node is not None else 0
        self._problems.setdefault(Problem(self.path, line, message, remedy))

    def declared(self, node: yaml.Node) -> Declared:
        """The place of a node."""
        return Declared(self.path, node.start_mark.line + 1)

    def finish(self) -> None:
        """Raise ConfigError with all problems, in file order, if there are any."""
        if self._problems:
            raise ConfigError(sorted(self._problems, key=lambda problem: problem.line))

    def _unusable(self, message: str, remedy: str) -> ConfigError:
        return ConfigError([Problem(self.path, 0, message, remedy)])


class Fields:
    """One mapping with the keys that are expected of it; what was never asked for is reported as unknown."""

    def __init__(
        self, document: Document, node: yaml.MappingNode, *, parent: str = "", key: yaml.ScalarNode | None = None
    ) -> None:
        self.document = document
        self.node: yaml.Node = key or node
        self.name: str = key.value if key else ""
        self.where = f"{parent}.{self.name}" if parent else self.name
        self._asked: list[str] = []
        self._keys: dict[str, yaml.ScalarNode] = {}
        self._values: dict[str, yaml.Node] = {}
        self._merged: list[yaml.MappingNode] = []
        self._collect(node)

    def _collect(self, node: yaml.MappingNode) -> None:
        self._merged.append(node)
        lines: dict[str, int] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                continue
            if not isinstance(key, yaml.ScalarNode):
                self.document.report(key, f"{self._prefix}a key must be a word", "Write it as `name: value`")
            elif key.value in lines:
                message = f"{self._prefix}{key.value!r} is given twice, first on line {lines[key.value]}"
                self.document.report(key, message, "Remove one of them")
            else:
                lines[key.value] = key.start_mark.line + 1
                self._keys.setdefault(key.value, key)
                self._values.setdefault(key.value, value)
        for key, value in node.value:
            if key.tag == _MERGE:
                self._merge(value)

    def _merge(self, value: yaml.Node) -> None:
        for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            if not isinstance(source, yaml.MappingNode):
                self.document.report(value, f"{self._prefix}`<<` must name a mapping", "Merge an anchor of a mapping")
            elif source not in self._merged:  # an anchor may stand inside itself
                self._collect(source)

    @property
    def _prefix(self) -> str:
        return f"{self.where}: " if self.where else ""

    def text(self, key: str, *, required: bool = False) -> str | None:
        """A string."""
        return self._scalar(key, "str", "text", "Put it in quotes", required=required)

    def integer(self, key: str, *, lowest: int, highest: int, required: bool = False) -> int | None:
        """A whole number within bounds, which are included."""
        text = self._scalar(key, "int", "a whole number", "Write it without quotes", required=required)
        if text is None:
            return None
        # YAML also takes 0x10, 0o17 and 1:30 for whole numbers; nobody means those here.
        if not text.isdecimal() or not lowest <= int(text) <= highest:
            self.report(key, f"must be from {lowest} to {highest}", "Correct the number")
            return None
        return int(text)

    def number(self, key: str, *, lowest: float, highest: float) -> float | None:
        """A number, whole or not, within bounds, which are included."""
        node = self._value(key)
        if node is None:
            return None
        # YAML also takes 1_0, .inf and 1:30 for numbers; nobody means those here.
        if not isinstance(node, yaml.ScalarNode) or not _DECIMAL.fullmatch(node.value):
            self.report(key, "must be a number", "Write it as 30 or 0.5, without quotes")
            return None
        if not lowest <= float(node.value) <= highest:
            self.report(key, f"must be from {lowest:g} to {highest:g}", "Correct the number")
            return None
        return float(node.value)

    def has(self, key: str) -> bool:
        """Whether the key is given."""
        return key in self._keys

    def flag(self, key: str) -> bool:
        """Yes or no; no where it is absent."""
        text = self._scalar(key, "bool", "true or false", "Write it without quotes", required=False)
        return text is not None and text.casefold() in ("true", "yes", "on")

    def path(self, key: str) -> Path | None:
        """A path, taken from the file's own folder where it is relative."""
        text = self.text(key)
        if text is None:
            return None
        return self.document.path.parent / Path(text).expanduser()

    def file(self, key: str) -> Path | None:
        """The path of a file that must be readable, if this reading checks files."""
        path = self.path(key)
        if path is not None and self.document.check_files:
            try:
                path.open("rb").close()
            except OSError as error:
                problem = f"names {path}, which cannot be read: {error.strerror}"
                self.report(key, problem, "Create it, readable by the user that runs Storex")
        return path

    def folder(self, key: str) -> Path | None:
        """The path of a folder that must exist, if this reading checks files."""
        path = self.path(key)
        if path is not None and self.document.check_files and not path.is_dir():
            self.report(key, f"names {path}, which is no folder", "Create it, or remove the key")
        return path

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings; empty where it is absent."""
        node = self._value(key)
        if node is None:
            return ()
        if not isinstance(node, yaml.SequenceNode) or not all(_is(item, "str") for item in node.value):
            self.report(key, "must be a list of words", f"Write it as `{key}: [first, second]`")
            return ()
        return tuple(item.value for item in node.value)

    def fields(self, key: str, *, required: bool = False) -> Fields | None:
        """A mapping with known keys."""
        node = self._value(key, required=required)
        if node is None:
            return None
        if not isinstance(node, yaml.MappingNode):
            self.report(key, "must be a mapping", "Write `name: value` lines below it, indented")
            return None
        return Fields(self.document, node, parent=self.where, key=self._keys[key])

    def entries(self, key: str, *, required: bool = False) -> Iterator[tuple[str, Fields]]:
        """The named mappings below a key."""
        group = self.fields(key, required=required)
        if group is None:
            return
        for name in list(group._values):
            entry = group.fields(name, required=True)
            if entry is not None:
                yield name, entry

    def strings(self, key: str) -> dict[str, str]:
        """A mapping of words to strings; empty where it is absent."""
        group = self.fields(key)
        if group is None:
            return {}
        return {name: text for name in list(group._values) if (text := group.text(name, required=True)) is not None}

    def lists(self, key: str) -> dict[str, tuple[str, ...]]:
        """A mapping of words to lists of words; empty where it is absent."""
        group = self.fields(key)
        return {name: group.texts(name) for name in list(group._values)} if group is not None else {}

    def report(self, key: str, message: str, remedy: str) -> None:
        """Note a problem with a key of this mapping."""
        self.document.report(self._keys.get(key, self.node), f"{self._below(key)} {message}", remedy)

    def declared(self, *keys: str) -> Declared:
        """The place of the first of these keys that is given, else of the mapping."""
        given = [self._keys[key] for key in keys if key in self._keys]
        return self.document.declared(given[0] if given else self.node)

    def finish(self) -> None:
        """Report the keys that nobody asked for."""
        for key, node in self._keys.items():
            if key in self._asked:
                continue
            near = difflib.get_close_matches(key, self._asked, 1)
            remedy = f"Write `{near[0]}`, if you meant that" if near else f"Known here: {', '.join(self._asked)}"
            self.document.report(node, f"{self._prefix}unknown key {key!r}", remedy)

    def _below(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key

    def _value(self, key: str, *, required: bool = False) -> yaml.Node | None:
        self._asked.append(key)
        node = self._values.get(key)
        if node is not None and not _is(node, "null"):
            return node
        if required:
            self.report(key, "is missing" if node is None else "is empty", f"Add `{key}:` with its value")
        return None

    def _scalar(self, key: str, tag: str, kind: str, remedy: str, *, required: bool) -> str | None:
        node = self._value(key, required=required)
        if node is None:
            return None
        if not _is(node, tag):
            self.report(key, f"must be {kind}", remedy)
            return None
        text: str = node.value
        if not text.strip():
            self.report(key, "is empty", "Give it a value")
            return None
        return text


def _is(node: yaml.Node, tag: str) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == _TAG + tag
