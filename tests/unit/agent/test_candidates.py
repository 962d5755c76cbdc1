from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from libs.core.clock import SystemClock
from libs.core.errors import Reason, StorexError
from libs.core.names import parse_name
from libs.llm.door import Door
from libs.llm.ledger import Who
from services.agent.asking import Asking
from services.agent.candidates import Candidates
from services.agent.config import AgentConfig
from services.agent.inquiry import CallTools, Conclude, Inquiry
from services.agent.loop.limits import LoopLimits
from services.agent.models import Models
from services.agent.reasoners.builtin.reasoner import Builtin
from services.agent.reasoners.loudest import Loudest
from services.agent.records import SUCCESS, Record
from services.agent.sessions.store import SessionStore
from services.agent.specialists.registry import LEAD, load_specialists
from services.agent.target import Target, parse_target
from services.agent.tools.registry import TOOLS
from storex.agent.v1.candidate_pb2 import Candidate
from storex.diagnostics.v1.diagnostics_pb2 import ListTopQueriesResponse

NAME = "regions/eu-west-1/instances/orders-1"
TARGET = parse_target(NAME)
WHO = Who("user:ada", (), "ses_1")


def candidates() -> tuple[Candidates, Asking]:
    """The agent's own configuration without an endpoint; nothing is asked, so no store or door is needed."""
    specialists = load_specialists(TOOLS)
    config = AgentConfig("127.0.0.1:0", "127.0.0.1:0", Path("token"), Path("state"))
    models = Models(config, cast(Door, None), specialists)
    asking = Asking(cast(SessionStore, None), TOOLS, models.reasoners_for, LoopLimits(), SystemClock())
    return Candidates(models, specialists), asking


def applied(**fields: object) -> Asking:
    known, asking = candidates()
    return known.apply(Candidate(**fields), asking)  # type: ignore[arg-type]


def test_a_lost_tool_is_lost_to_the_loop_and_nothing_else_is() -> None:
    asking = applied(reasoner="builtin", without_tools=["get_lock_waits"])
    assert set(TOOLS) - set(asking.tools) == {"get_lock_waits"}
    reasoner, fallback = asking.reasoners(TARGET, WHO)
    assert isinstance(reasoner, Builtin)
    assert reasoner is fallback


def test_limits_can_only_be_narrowed() -> None:
    limits = applied(max_steps=2, max_tool_calls=10_000).limits
    assert (limits.steps, limits.tool_calls) == (2, LoopLimits().tool_calls)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"without_tools": ["get_nothing"]}, "candidate.without_tools"),
        ({"without_rules": ["lock.row_blokker"]}, "candidate.without_rules"),
        ({"prompts": {"nobody": "lead@1"}}, "candidate.prompts"),
        ({"prompts": {LEAD: "lead@99"}}, "candidate.prompts"),
        ({"prompts": {LEAD: "database@1"}}, "candidate.prompts"),
        ({"prompts": {LEAD: "../../etc/passwd@1"}}, "candidate.prompts"),
        ({"max_steps": -1}, "candidate.max_steps"),
    ],
)
def test_what_does_not_exist_is_told_by_its_field(fields: dict[str, object], field: str) -> None:
    with pytest.raises(StorexError) as raised:
        applied(**fields)
    assert raised.value.reason is Reason.REQUEST_INVALID
    assert raised.value.metadata["field"] == field


def test_an_endpoint_that_is_not_configured_is_no_reasoner() -> None:
    asking = applied(reasoner="some-model")
    with pytest.raises(StorexError) as raised:
        asking.reasoners(TARGET, WHO)
    assert raised.value.metadata["field"] == "candidate.reasoner"


async def test_the_loudest_statement_is_blamed_whatever_it_is() -> None:
    reasoner, _ = applied(reasoner="loudest").reasoners(TARGET, WHO)
    assert isinstance(reasoner, Loudest)
    inquiry = Inquiry("ses_1", Target(NAME, parse_name(NAME)), "why is it slow?", 0.0, 600.0)
    move = await reasoner.next_move(inquiry)
    assert isinstance(move, CallTools)
    answer = ListTopQueriesResponse()
    for digest, seconds in (("quiet", 1.0), ("loud", 9.0)):
        answer.queries.add(total_seconds=seconds).statement.digest = digest
    inquiry.records.extend([Record("c1", 0, "list_top_queries", NAME, SUCCESS, answer)])
    end = await reasoner.next_move(inquiry)
    assert isinstance(end, Conclude)
    (cause,) = end.draft.causes
    assert (cause.kind, cause.values("cause", "statement_digest")) == ("query.heavy_scan", ("loud",))
