"""The tool `list_past_sessions`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.agent.v1.agent_pb2 import ListSessionsResponse


async def list_past_sessions(reach: Reach, name: str, except_session: str = "") -> ListSessionsResponse:
    """The asker's own earlier investigations of the same thing: questions and what the reports came to, newest first.

    Use it to see whether this happened before. Other people's sessions are never shown. Cheap: no statement is sent.

    name: What they were about: an instance, a region, or services/NAME.
    except_session: A session to leave out, such as the present one; empty for none.
    """
    return await reach.past_sessions(name, except_session)
