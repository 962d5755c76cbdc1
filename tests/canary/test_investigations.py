"""Investigations, with a model and without: prompts, reports, follow-ups, and what is kept of them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from libs.client import StorexClient
from libs.identity import LocalIssuer
from libs.sensitivity.classes import CUSTOMER, PRINCIPAL, SCHEMA
from libs.sensitivity.tokens import TOKEN
from storex.agent.v1 import agent_pb2
from tests.canary.garden import INSTANCE, ROLES, Garden, curious
from tests.canary.markers import seen, sightings
from tests.canary.requests import QUESTION
from tests.canary.wire import as_role


@pytest.fixture
def model(garden: Garden) -> Iterator[Garden]:
    """The garden with a model that asks and tells all it can."""
    garden.model.requests.clear()
    garden.model.turns[:] = [curious]
    yield garden
    garden.model.turns[:] = [b"{}"]


def _ask(garden: Garden, role: str, *questions: str) -> tuple[bytes, str]:
    """Everything that comes back for questions in one session, and who wrote the first report."""
    issuer = LocalIssuer.open(garden.state_dir)
    seen_bytes, session, written_by = b"", "", ""
    with StorexClient(garden.coordinator, lambda: as_role(issuer, role)) as client:
        for question in questions:
            request = agent_pb2.AskRequest(target=INSTANCE, question=question, session_id=session)
            for event in client.stream(client.agent.Ask, request):
                seen_bytes += event.SerializeToString()
                session = event.session_started.session_id or session
                written_by = written_by or event.report.written_by
    return seen_bytes, written_by


@pytest.mark.parametrize("role", ["viewer", pytest.param("oncall"), pytest.param("dba", marks=pytest.mark.slow)])
def test_what_a_model_is_shown(model: Garden, role: str) -> None:
    seen_bytes, _ = _ask(model, role, QUESTION, "which client is it? kill 812?")
    prompts = json.dumps(model.model.requests, ensure_ascii=False)
    assert "kill 812?" in prompts
    assert seen(prompts.encode(), SCHEMA), "the tools were called"
    assert TOKEN.search(prompts)
    assert not seen(prompts.encode(), CUSTOMER)
    assert not seen(prompts.encode(), PRINCIPAL)
    assert not {found for found in sightings(seen_bytes) if found.sensitivity not in ROLES[role].clear}


@pytest.mark.parametrize("role", ["viewer", pytest.param("oncall", marks=pytest.mark.slow)])
def test_what_is_kept_of_a_session(garden: Garden, role: str) -> None:
    before = garden.sessions_kept()
    seen_bytes, written_by = _ask(garden, role, QUESTION, "which client? safe to kill it?")
    added = b"\n".join(garden.sessions_kept() - before)
    assert written_by == "builtin"
    assert seen(added, SCHEMA), "the session was kept"
    assert not {found for found in sightings(added) if found.sensitivity not in ROLES[role].clear}
    assert not {found for found in sightings(seen_bytes) if found.sensitivity not in ROLES[role].clear}
    assert bool(seen(seen_bytes, PRINCIPAL)) == (PRINCIPAL in ROLES[role].clear)
