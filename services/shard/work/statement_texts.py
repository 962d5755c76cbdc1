"""Statements without their literals, under one digest: the engine's where it keeps one, else Storex's own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from libs.redaction.sql import normalise
from storex.diagnostics.v1 import session_pb2

_EXECUTED = re.compile(r"\s*EXECUTE\s+(?=(?:SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH|CALL)\b)", re.IGNORECASE)
"""What MySQL puts before the text of a statement that was prepared; elsewhere a name follows."""
_USER = re.compile(r"\b(?:SYSTEM_USER|SESSION_USER)\b(?!\s*\()")
"""What the engines print for a table or column called `user`: their words for it are one."""
CAPACITY = 20_000
"""Statements that are remembered for one instance."""


@dataclass(frozen=True, slots=True)
class KnownStatement:
    """A normalised statement and the tables that its text names."""

    digest: str
    text: str
    tables: tuple[str, ...]

    def proto(self) -> session_pb2.Statement:
        """The statement as answers carry it."""
        return session_pb2.Statement(digest=self.digest, digest_text=self.text)


class StatementTexts:
    """The statements of one instance.

    An engine gives a statement its digest only when it ends. What runs now is matched with the digests already seen
    by its normalised text, so that a session and its row among the top queries carry the same digest.
    """

    def __init__(self) -> None:
        self._by_digest: dict[str, KnownStatement] = {}
        self._by_text: dict[str, KnownStatement] = {}

    def of_engine(self, digest: str, digest_text: str) -> KnownStatement:
        """The statement of an engine's digest; its text is normalised once more, for it comes from outside."""
        known = self._by_digest.get(digest)
        if known is None:
            normalised = normalise(_USER.sub("USER", _EXECUTED.sub("", digest_text)))
            tables = tuple(_as_written(table, digest_text) for table in normalised.tables)
            known = KnownStatement(digest, normalised.text, tables)
            if len(self._by_digest) >= CAPACITY:
                self._by_digest.clear()
                self._by_text.clear()
            self._by_digest[digest] = known
            if normalised.complete:
                self._by_text.setdefault(_key(normalised.text), known)
        return known

    def get(self, digest: str) -> KnownStatement | None:
        """The statement of a digest that was met before."""
        return self._by_digest.get(digest)

    def copy(self) -> StatementTexts:
        """Statements that grow apart from these."""
        texts = StatementTexts()
        texts._by_digest, texts._by_text = dict(self._by_digest), dict(self._by_text)
        return texts

    def known(self) -> tuple[list[KnownStatement], list[str]]:
        """Every statement, and the digests of those that texts are matched with."""
        return list(self._by_digest.values()), [known.digest for known in self._by_text.values()]

    @classmethod
    def of_known(cls, statements: Iterable[KnownStatement], matched: Iterable[str]) -> StatementTexts:
        """The statements that `known` told."""
        texts = cls()
        texts._by_digest = {known.digest: known for known in statements}
        found = [texts._by_digest[digest] for digest in matched if digest in texts._by_digest]
        texts._by_text = {_key(known.text): known for known in found}
        return texts

    def of_text(self, sql: str) -> KnownStatement:
        """The statement of a text with literals."""
        normalised = normalise(sql)
        own = KnownStatement(normalised.digest, normalised.text, normalised.tables)
        if not normalised.complete:
            return own
        known = self._by_text.get(_key(normalised.text), own)
        if known.tables != own.tables and _folded(known.tables) == _folded(own.tables):
            known = self._by_digest[known.digest] = self._by_text[_key(normalised.text)] = replace(
                known, tables=own.tables
            )
        return known


def _as_written(table: str, digest_text: str) -> str:
    """A table's name as it most likely is: what is also a word of SQL, engines print in upper case and unquoted."""
    return ".".join(
        part.lower() if part.isupper() and f"`{part}`" not in digest_text else part for part in table.split(".")
    )


def _folded(tables: tuple[str, ...]) -> list[str]:
    return [table.casefold() for table in tables]


def _key(text: str) -> str:
    """Engines print some names in upper case and quote others: neither tells statements apart."""
    return text.replace("`", "").replace(" ", "").casefold()
