"""What people type (questions, notes, labels) without what looks like customer data, before it is kept or sent on.

Quoted text, e-mail addresses, numbers of nine digits and more, long hex and signed web tokens go. Connection ids, times
and dates, IP addresses, table and service names stay, and so do Storex's own tokens and digests.
"""

from __future__ import annotations

import re
import unicodedata

MIN_DIGITS = 9
"""Shortest number that goes, in digits; separators as in `123-45-6789` do not count."""
MIN_HEX = 16
"""Shortest hex that goes, in digits."""

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_DATE = r"20[0-9]{2}-(?:0[1-9]|1[0-2])-[0-3][0-9](?![-.])"
# No possessive quantifiers, as in `libs/redaction/scanner.py`: Python before 3.11.5 can loop for ever over them.
_PREFIX = r"(?<!\w)(?:[nN]|_[0-9A-Za-z]+)"
_SINGLE = r"'(?:[^'\\]|\\[^']|'(?=\w))*"
_FANCY = r"[\u2018\u201a\u201b\u201c\u201e\u201f\u00ab\u2039\u300c\u300e]"
_FANCY_END = r"\u201c\u201d\u2019\u00bb\u203a\u300d\u300f"

_PATTERN = re.compile(
    rf"""
      (?P<kept>   (?<![0-9A-Za-z])
                  (?: prn_[0-9a-f]{{12}} | sx-[0-9a-f]{{16}} | {_DATE} | {_OCTET}(?:\.{_OCTET}){{3}}(?!\.) )
                  (?![0-9A-Za-z]) )
    | (?P<email>  (?<![\w.+%-]) [\w.+%-]+ @ [\w-]+ (?:\.[\w-]+)+ )
    | (?P<quoted> {_PREFIX} {_SINGLE} '
                | (?<!\w) (?:[xX]'[0-9a-fA-F]+ | [bB]'[01]+) '?
                | (?<!\w) {_SINGLE} (?:'|.*)
                | "(?:[^"\\]|\\[^"])* (?:"|.*)
                | {_FANCY} (?:[^{_FANCY_END}]|\u2019(?=\w))* (?:[{_FANCY_END}]|.*) )
    | (?P<hex>    (?<![0-9A-Za-z]) (?: 0[xX][0-9a-fA-F]{{8,}}
                                     | [0-9a-fA-F]{{{MIN_HEX},}} (?![0-9A-Za-z])
                                     | [0-9a-fA-F]{{8}}-(?:[0-9a-fA-F]{{4}}-){{3}}[0-9a-fA-F]{{12}} ) )
    | (?P<code>   (?<![0-9A-Za-z]) eyJ[0-9A-Za-z_-]{{8,}} (?:\.[0-9A-Za-z_-]*){{0,2}} )
    | (?P<iban>   (?<![0-9A-Za-z]) [A-Z]{{2}}[0-9]{{2}}
                  (?:[ ]?[0-9A-Z]{{4}}){{3,7}} (?:[ ]?[0-9A-Z]{{1,3}})? (?![0-9A-Za-z]) )
    | (?P<number> [0-9](?:[-./]?[0-9]){{{MIN_DIGITS - 1},}}
                | \+[0-9](?:[ ()./-]{{0,2}}[0-9]){{{MIN_DIGITS - 2},}}
                | (?<![0-9A-Za-z:]) (?: [0-9]{{4}}(?:[ ][0-9]{{4}}){{2}}[ ][0-9]{{1,7}}
                                      | [0-9]{{4}}[ ][0-9]{{6}}[ ][0-9]{{5}}
                                      | [0-9]{{3}}[ ][0-9]{{2}}[ ][0-9]{{4}}
                                      | \(?0[0-9]{{2,4}}\)?[ /-][0-9]{{3,8}}[ -]?[0-9]{{3,8}} ) (?![0-9]) )
    """,
    re.VERBOSE | re.DOTALL,
)


def scrub(text: str) -> str:
    """`text` with `[quoted]`, `[email]`, `[hex]`, `[code]`, `[iban]` and `[number]` where something was taken out.

    Text other than ASCII is brought to one form first, so that full-width digits and invisible characters hide nothing.
    """
    return _PATTERN.sub(_replacement, text if text.isascii() else _plain(text))


def _replacement(found: re.Match[str]) -> str:
    return found.group() if found.lastgroup == "kept" else f"[{found.lastgroup}]"


def _plain(text: str) -> str:
    visible = "".join(character for character in text if unicodedata.category(character) != "Cf")
    return unicodedata.normalize("NFKC", visible)
