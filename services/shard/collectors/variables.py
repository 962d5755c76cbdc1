"""Global variables. Free text stays home: only numbers, switches and words of a list have a value in the answer."""

from __future__ import annotations

import re

from libs.core.paging import page_of
from services.shard.mysql.statements import Statement
from services.shard.view import InstanceView, text
from storex.diagnostics.v1 import diagnostics_pb2

_NUMBER = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]+)?", re.ASCII)
_WORDS = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}(?:=(?:on|off|default))?", re.ASCII)
_FREE_TEXT = re.compile(
    r"dir$|_file|file_|path|socket|host|user|password|secret|key|cert|_ca$|ssl_|tls_|init_|connect$|proxy|address"
    r"|_url|uuid|domain|server_uid|log_bin_|log_basename|report_|gtid|wsrep|comment|license|plugin|program",
)
"""Variables that hold names, places or statements of the site."""
_ALWAYS_PUBLIC = frozenset({"version", "version_comment", "version_compile_os", "version_compile_machine"})


async def list_variables(
    view: InstanceView, request: diagnostics_pb2.ListVariablesRequest
) -> diagnostics_pb2.ListVariablesResponse:
    """Read SHOW GLOBAL VARIABLES."""
    began = view.clock.now()
    results = await view.source.read(Statement.GLOBAL_VARIABLES)
    values = {text(row["variable_name"]): text(row["value"]) for row in results.rows(Statement.GLOBAL_VARIABLES)}
    names = sorted(name for name in values if name.startswith(request.prefix))
    page, token = page_of(names, request.page_size, request.page_token, default=1000, largest=2000)
    return diagnostics_pb2.ListVariablesResponse(
        observation=view.observation(began, results),
        variables=[_variable(name, values[name]) for name in page],
        next_page_token=token,
    )


def _variable(name: str, value: str) -> diagnostics_pb2.Variable:
    if _is_public(name, value):
        return diagnostics_pb2.Variable(variable=name, value=value)
    return diagnostics_pb2.Variable(variable=name, withheld=True)


def _is_public(name: str, value: str) -> bool:
    if value == "" or _NUMBER.fullmatch(value) or name in _ALWAYS_PUBLIC:
        return True
    if value in ("ON", "OFF", "YES", "NO", "AUTO", "DISABLED"):
        return True
    return not _FREE_TEXT.search(name) and all(_WORDS.fullmatch(word) for word in value.split(","))
