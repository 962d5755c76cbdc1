"""Data made safe to show: what a database user chose must not steer a terminal, a markup engine or a Markdown page."""

from __future__ import annotations

import re
import unicodedata

from rich.text import Text

# Format characters reorder or hide text (bidirectional overrides, zero-width joiners); surrogates cannot be printed.
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
# What can start markup in the middle of a line, an underscore only where no word goes on around it.
_MARKDOWN = re.compile(r"[\\`*\[\]<>|~&]|!(?=\[)|(?<![^\W_])_|_(?![^\W_])")
# What can start a heading, a list or a rule where a line begins.
_MARKDOWN_START = re.compile(r"^(\s*)([#+=-]|\d+(?=[.)]))")
# Addresses become links by themselves on many pages, without any markup.
_ADDRESS = re.compile(r"(?<=:)//|(?<=\bwww)\.|(?<=\w)@(?=\w)", re.IGNORECASE)


def visible(text: str, *, newlines: bool = False) -> str:
    """`text` with each control and format character written out, such as `\\x1b`; line ends stay where asked for."""
    return "".join(_shown(character, newlines) for character in text)


def plain(text: str, style: str = "") -> Text:
    """`text` for a rich console: control characters visible, and never read as markup."""
    return Text(visible(text, newlines=True), style=style)


def markdown(text: str) -> str:
    """`text` for a Markdown page, as words and nothing else."""
    escaped = _ADDRESS.sub(_entities, _MARKDOWN.sub(r"\\\g<0>", visible(text)))
    return _MARKDOWN_START.sub(_start_escaped, escaped)


def _entities(found: re.Match[str]) -> str:
    """The same characters to a reader, and no address to a page that makes links of them."""
    return "".join(f"&#{ord(character)};" for character in found.group())


def _start_escaped(found: re.Match[str]) -> str:
    space, mark = found.groups()
    # A digit cannot be escaped; of `1.` it is the dot that counts.
    return f"{space}{mark}\\" if mark.isdigit() else f"{space}\\{mark}"


def markdown_code(text: str) -> str:
    """`text` as inline code, with a fence longer than any run of backticks in it."""
    shown = visible(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    padding = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{padding}{shown}{padding}{fence}"


def _shown(character: str, newlines: bool) -> str:
    if character == "\n" and newlines:
        return character
    if unicodedata.category(character) in _UNSAFE_CATEGORIES:
        code = ord(character)
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return character
