"""From exceptions to statuses: the only place where a failure becomes text that a caller reads."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Never

import grpc

from libs.core.errors import Reason, StorexError
from libs.rpc.interceptors.base import CallInterceptor, Incoming
from libs.rpc.status import error_from_rpc, status_of

_log = logging.getLogger(__name__)


class ErrorMapping(CallInterceptor):
    """Answers catalogue errors as they are, a peer's as far as they are Storex's own, and all else as INTERNAL."""

    @asynccontextmanager
    async def around(self, incoming: Incoming) -> AsyncIterator[None]:
        """Turn whatever the rest of the chain raises into a status."""
        try:
            yield
        except StorexError as error:
            if error.reason is Reason.INTERNAL:
                _log.error("call failed", exc_info=True)
            await _abort(incoming, error)
        except grpc.aio.AioRpcError as error:
            await _abort(incoming, error_from_rpc(error))
        except grpc.aio.AbortError:
            # Raised on the way out of `context.abort`, which has already set the status.
            raise
        except Exception:
            _log.error("call failed", exc_info=True)
            await _abort(incoming, StorexError(Reason.INTERNAL))


async def _abort(incoming: Incoming, error: StorexError) -> Never:
    incoming.call.failure = error.reason
    code, message, trailing = status_of(error, incoming.call.request_id)
    await incoming.context.abort(code, message, trailing)
