"""The last look at what is about to leave for a model: does it still hold something that looks like customer data?

Everything has been filtered by sensitivity and scrubbed before; here is only what no filter should have let through.
Figures of the database itself (counters, ids, byte sizes) are no customer data, however long.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from libs.llm.conversation import Message

_EMAIL = re.compile(r"[\w.+%-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,24}\b", re.ASCII)
_TOKEN = re.compile(r"(?<![0-9A-Za-z])eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}")
_IBAN = re.compile(r"(?<![0-9A-Za-z])[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]{4}){3,7}(?: ?[0-9A-Z]{1,3})?(?![0-9A-Za-z])")
_CARD = re.compile(r"(?<![\w.])[3-6](?:[0-9]{3}(?:[ -][0-9]{4}){3}|[0-9]{12,18})(?![\w.])", re.ASCII)
_LITERAL = re.compile(
    r"(?:[=<>]|\blike\b|\bin\s{0,3}\(|\bvalues\s{0,3}\()\s{0,3}(?:'(?![?']|\[quoted\])[^'\n]{2,200}'|\\\"[^\\\n]{2,200}\\\")",
    re.IGNORECASE,
)


def customer_like(messages: Iterable[Message]) -> str:
    """The kind of the first thing that looks like customer data, or empty."""
    for message in messages:
        texts = (message.text, *(call.arguments for call in message.tool_calls))
        for text in texts:
            kind = _kind(text)
            if kind:
                return kind
    return ""


def _kind(text: str) -> str:
    if _EMAIL.search(text):
        return "email"
    if _TOKEN.search(text):
        return "token"
    if any(_is_iban(found.group()) for found in _IBAN.finditer(text)):
        return "iban"
    if any(_is_card(found, text) for found in _CARD.finditer(text)):
        return "card"
    return "literal" if _LITERAL.search(text) else ""


def _is_iban(text: str) -> bool:
    """By its check digits (ISO 13616: the number modulo 97 is 1)."""
    plain = text.replace(" ", "")
    turned = plain[4:] + plain[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def _is_card(found: re.Match[str], text: str) -> bool:
    """By its check digit (ISO/IEC 7812, the Luhn formula); a number that is a JSON value of its own is a counter."""
    if found.group().isdecimal():
        before, after = text[max(0, found.start() - 2) : found.start()], text[found.end() : found.end() + 1]
        if (before.endswith('"') and after == '"') or (before in (": ", ", ") and after in (",", "}", "]")):
            return False
    digits = [int(character) for character in found.group() if character.isdecimal()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
