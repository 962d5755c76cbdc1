"""Plans of the planted statements: the texts that are explained hold canaries, the plans do not."""

from __future__ import annotations

from libs.identity import LocalIssuer
from libs.rpc.channels import open_channel
from libs.rpc.methods import METHODS
from libs.sensitivity.classes import CUSTOMER
from storex.diagnostics.v1 import diagnostics_pb2, plans_pb2
from tests.canary.garden import INSTANCE, Garden
from tests.canary.markers import seen
from tests.canary.wire import Answer, call, to_coordinator

_SERVICE = "/storex.diagnostics.v1.DiagnosticsService"


async def test_no_plan_holds_what_is_in_the_statement(garden: Garden) -> None:
    issuer = LocalIssuer.open(garden.state_dir)
    explain, top = METHODS.get(f"{_SERVICE}/ExplainStatement"), METHODS.get(f"{_SERVICE}/ListTopQueries")
    assert explain is not None
    assert top is not None
    async with open_channel(garden.coordinator) as channel:
        metadata = to_coordinator(issuer, "dba")
        asked = diagnostics_pb2.ListTopQueriesRequest(name=INSTANCE, page_size=200)
        (queries,) = (await call(channel, top, asked.SerializeToString(), metadata)).messages
        answers: list[Answer] = []
        for digest in dict.fromkeys(query.statement.digest for query in getattr(queries, "queries")):  # noqa: B009
            request = plans_pb2.ExplainStatementRequest(name=INSTANCE, digest=digest)
            answers.append(await call(channel, explain, request.SerializeToString(), metadata))
    steps = [step for answer in answers for message in answer.messages for step in getattr(message, "steps")]  # noqa: B009
    assert steps, "none of the planted statements could be explained"
    assert not {sighting for answer in answers for sighting in seen(answer.seen, CUSTOMER)}
