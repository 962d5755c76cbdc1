"""Which values of server variables may be told: numbers, switches and words of a list; free text stays home."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]+)?", re.ASCII)
_WORDS = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}(?:=(?:on|off|default))?", re.ASCII)
_FREE_TEXT = re.compile(
    r"dir$|_file|file_|path|socket|host|user|password|secret|key|cert|_ca$|ssl_|tls_|init_|connect$|proxy|address"
    r"|_url|uuid|domain|server_uid|log_bin_|log_basename|report_|gtid|wsrep|comment|license|plugin|program"
    r"|roles$|principal|subject|replicate_|_do_|_ignore_",
)
"""Variables that hold names, places or statements of the site."""
_SECRET = re.compile(r"^report_(?:host|user|password)$|_(?:password|pwd|secret|token|user|users|principal)$")
"""Variables whose value tells something even where it is a number."""
_ALWAYS_PUBLIC = frozenset({"version", "version_comment", "version_compile_os", "version_compile_machine"})


def is_public(name: str, value: str) -> bool:
    """Whether the value of that variable may be told."""
    if value == "" or name in _ALWAYS_PUBLIC:
        return True
    if _NUMBER.fullmatch(value):
        return not _SECRET.search(name)
    if value in ("ON", "OFF", "YES", "NO", "AUTO", "DISABLED"):
        return True
    return not _FREE_TEXT.search(name) and all(_WORDS.fullmatch(word) for word in value.split(","))
