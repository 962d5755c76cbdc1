"""One log line and one count a call, whatever becomes of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

from libs.core.clock import Clock
from libs.core.errors import Reason
from libs.rpc.call import CallContext
from libs.rpc.interceptors.base import CallInterceptor, Incoming, without_waiting
from libs.rpc.status import grpc_code
from libs.telemetry.metrics import RpcMetrics

_log = logging.getLogger("storex.access")


class AccessLog(CallInterceptor):
    """Logs and counts: who, which method, which resources they were let through to, how it ended, how long it took."""

    def __init__(self, metrics: RpcMetrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock

    @without_waiting
    def around(self, incoming: Incoming) -> Iterator[None]:
        """Time the rest of the chain."""
        call = incoming.call
        # A peer chooses the path, so one that is not declared must become neither a label nor a log field.
        method = call.method.full_method if call.method else "undeclared"
        started = self._clock.monotonic()
        self._metrics.started(method)
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            call.failure = call.failure or Reason.CANCELLED
            raise
        finally:
            seconds = self._clock.monotonic() - started
            code = grpc_code(call.failure).name if call.failure else "OK"
            reason = call.failure.name if call.failure else ""
            self._metrics.ended(method, code, reason, seconds)
            _log.info("call", extra={"fields": _fields(call, method, code, reason, seconds)})


def _fields(call: CallContext, method: str, code: str, reason: str, seconds: float) -> dict[str, object]:
    fields: dict[str, object] = {"method": method, "code": code, "milliseconds": round(seconds * 1000, 2)}
    if reason:
        fields["reason"] = reason
    if call.caller is not None:
        fields["user"] = call.caller.user.subject
        if call.caller.actor is not None:
            fields["actor"] = call.caller.actor.subject
    if call.decision is not None:
        fields["rule"] = call.decision.rule
        fields["policy_version"] = call.decision.version
    if len(call.resources) == 1:
        fields["name"] = str(call.resources[0].name)
    elif call.resources:
        fields["resources"] = len(call.resources)
    return fields
