"""What a model endpoint may see of an investigation, and the way back from its words to real names.

Principals go to the endpoint as tokens under a key that lives as long as the view does. The view remembers which token
stands for which name, so that the model's answer can be shown to a person who may see the names.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Iterable
from typing import TypeVar

from google.protobuf.message import Message

from libs.redaction.prose import scrub
from libs.sensitivity.classes import PUBLIC, SCHEMA, SensitivityClass
from libs.sensitivity.plan import apply
from libs.sensitivity.tokens import TOKEN, Tokeniser

OUTSIDE = frozenset({PUBLIC, SCHEMA})
"""The classes that an endpoint outside of the domain's list sees in clear."""

M = TypeVar("M", bound=Message)


class ModelView:
    """The view of one model endpoint on one investigation; `clear` are the classes that it may see as they are."""

    def __init__(self, clear: Collection[SensitivityClass] = OUTSIDE) -> None:
        key = secrets.token_bytes(32)
        self._clear = frozenset(clear)
        self._tokeniser = Tokeniser("model", lambda: (key,))
        self._names: dict[str, str] = {}

    def show(self, message: M) -> M:
        """A copy of an answer as the endpoint may see it."""
        return apply(message, self._clear, self._token)

    def hide(self, names: Iterable[str]) -> None:
        """Names that `show_text` replaces from now on, though `show` has met none of them."""
        for name in names:
            if TOKEN.fullmatch(name) is None:
                self._token(name)

    def show_text(self, text: str) -> str:
        """What a person typed, scrubbed, with a token for each name that `show` has replaced before."""
        scrubbed = scrub(text)
        if not self._names:
            return scrubbed
        tokens = {name: token for token, name in self._names.items()}
        longest_first = sorted(tokens, key=len, reverse=True)
        names = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")
        return names.sub(lambda found: tokens[found.group()], scrubbed)

    def restore(self, text: str) -> str:
        """The endpoint's words with real names in the place of tokens; unknown tokens stay."""
        return TOKEN.sub(lambda found: self._names.get(found.group(), found.group()), text)

    def _token(self, value: str) -> str:
        token = self._tokeniser(value)
        self._names[token] = value
        return token
