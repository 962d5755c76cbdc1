"""The tables that a statement names, read off its safe tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from libs.redaction.lexicon import RESERVED, STATEMENT_OPENERS

MAX_TABLES = 32
"""Most tables told for one statement."""

_MODIFIERS = frozenset({"LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK", "IGNORE", "INTO", "IF", "NOT", "EXISTS"})
_NO_TARGET_AFTER = frozenset({"KEY", "FOR", "ON", "OR"})
_READERS = frozenset({"SELECT", "DELETE", "SHOW", "WITH"})
_TARGETS = frozenset({"INSERT", "REPLACE", "UPDATE", "TABLE"})


def tables_in(tokens: Sequence[str]) -> tuple[str, ...]:
    """The names of the tables, `schema.table` where the text says so, each once and in order."""
    common = _common_table_expressions(tokens)
    found: dict[str, None] = {}
    for start in _table_positions(tokens):
        for name in _names_from(tokens, start):
            if name not in common and len(found) < MAX_TABLES:
                found[name] = None
    return tuple(found)


def _table_positions(tokens: Sequence[str]) -> Iterator[int]:
    """Where table names begin; a FROM counts only where its own brackets hold a statement, as in no EXTRACT or TRIM."""
    reads = [False]
    for position, piece in enumerate(tokens):
        before = tokens[position - 1] if position else ""
        if piece == "(":
            reads.append(False)
        elif piece == ")" and len(reads) > 1:
            reads.pop()
        elif piece in _READERS:
            reads[-1] = True
        is_source = piece in ("JOIN", "STRAIGHT_JOIN") or (piece == "FROM" and reads[-1])
        is_target = piece in _TARGETS and before not in _NO_TARGET_AFTER and not _continues(before)
        if is_source or is_target:
            yield position + 1


def _continues(before: str) -> bool:
    """Whether the word before is a name, so that no statement begins here: ANALYZE TABLE t UPDATE HISTOGRAM."""
    return bool(before) and _is_name(before) and before.upper() not in STATEMENT_OPENERS


def _names_from(tokens: Sequence[str], position: int) -> Iterator[str]:
    """Names with their aliases, joined by commas; brackets around a list of tables are stepped into."""
    is_target = position > 0 and tokens[position - 1] in _TARGETS
    while position < len(tokens) and (tokens[position] in _MODIFIERS or (tokens[position] == "(" and not is_target)):
        position += 1
    while position < len(tokens) and _is_name(tokens[position]):
        name, position = _qualified(tokens, position)
        if is_target or tokens[position : position + 1] != ["("]:
            yield name
        while position < len(tokens) and (tokens[position] == "AS" or _is_name(tokens[position])):
            position += 1
        if tokens[position : position + 1] != [","]:
            return
        position += 1


def _qualified(tokens: Sequence[str], position: int) -> tuple[str, int]:
    parts = [tokens[position].strip("`")]
    position += 1
    while position + 1 < len(tokens) and tokens[position] == "." and _is_name(tokens[position + 1]):
        parts.append(tokens[position + 1].strip("`"))
        position += 2
    return ".".join(parts), position


def _common_table_expressions(tokens: Sequence[str]) -> frozenset[str]:
    names = set()
    for position in range(1, len(tokens)):
        follows_with = tokens[position - 1] in ("WITH", "RECURSIVE")
        is_defined = tokens[position + 1 : position + 3] == ["AS", "("]
        if (follows_with or is_defined) and _is_name(tokens[position]):
            names.add(tokens[position].strip("`"))
    return frozenset(names)


def _is_name(token: str) -> bool:
    return token[0] == "`" or (token not in RESERVED and (token[0].isalpha() or token[0] == "_"))
