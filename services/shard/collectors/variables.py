"""Global variables. Free text stays home: only numbers, switches and words of a list have a value in the answer."""

from __future__ import annotations

from libs.core.paging import page_of
from services.shard.facts.variable_values import is_public
from services.shard.mysql.statements import Statement
from services.shard.view import InstanceView, text
from storex.diagnostics.v1 import diagnostics_pb2


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
    if is_public(name, value):
        return diagnostics_pb2.Variable(variable=name, value=value)
    return diagnostics_pb2.Variable(variable=name, withheld=True)
