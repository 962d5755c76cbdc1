"""Calls that keep every byte that comes back: messages, metadata before and after, and the text of an error."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import Message

from libs.identity import LocalIssuer
from libs.rpc.call import Metadata, outgoing_metadata
from libs.rpc.methods import MethodInfo
from tests.canary.garden import ROLES

LASTING = 2.5
"""For how long a stream is listened to that would go on for ever, in seconds."""


@dataclass(slots=True)
class Answer:
    """What a call came to."""

    seen: bytes = b""
    messages: list[Message] = field(default_factory=list)
    code: grpc.StatusCode = grpc.StatusCode.OK


async def call(
    channel: grpc.aio.Channel, method: MethodInfo, request: bytes, metadata: Metadata, *, seconds: float = 20.0
) -> Answer:
    """Call a method with the bytes of a request; failures are answers too."""
    kind: Any = channel.unary_stream if method.server_streaming else channel.unary_unary
    running = kind(method.full_method)(request, metadata=metadata, timeout=LASTING if method.lasting else seconds)
    answer, raw = Answer(), []
    try:
        if method.server_streaming:
            async for message in running:
                raw.append(message)
        else:
            raw.append(await running)
    except grpc.aio.AioRpcError as error:
        enough = method.lasting and bool(raw) and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        answer.code = grpc.StatusCode.OK if enough else error.code()
        answer.seen += repr((error.details(), error.debug_error_string())).encode()
    answer.messages = [method.response_type.FromString(message) for message in raw]
    answer.seen += b"\0".join(raw)
    for metadata_seen in (await running.initial_metadata(), await running.trailing_metadata()):
        for key, value in metadata_seen or ():
            answer.seen += b"\0" + str(key).encode() + b"=" + (value if isinstance(value, bytes) else value.encode())
    return answer


def as_role(issuer: LocalIssuer, role: str) -> str:
    """A token of somebody in that role."""
    return issuer.issue_user(role, ROLES[role].teams, ROLES[role].roles)


def to_coordinator(issuer: LocalIssuer, role: str) -> Metadata:
    """What a client sends."""
    return outgoing_metadata(authorization=as_role(issuer, role))


def to_shard(issuer: LocalIssuer, role: str, *, by_agent: bool = False) -> Metadata:
    """What the coordinator sends on for a client, or for the agent that acts for one."""
    actor = issuer.issue_service("agent") if by_agent else ""
    relay = issuer.issue_service("coordinator")
    return outgoing_metadata(authorization=as_role(issuer, role), actor=actor, relay=relay)


def coordinators_own(issuer: LocalIssuer) -> Metadata:
    """What the coordinator sends on its own behalf."""
    token = issuer.issue_service("coordinator")
    return outgoing_metadata(authorization=token, relay=token)
