"""A server that does not answer, as a limit of an answer that is given all the same."""

from __future__ import annotations

from libs.core.errors import StorexError
from storex.common.v1 import entity_pb2


def limit_of(error: StorexError) -> entity_pb2.Limit:
    """The limit for an error of the catalogue, whose public text says what happened and then what to do."""
    happened, _, remedy = error.public_message.partition(". ")
    return entity_pb2.Limit(
        source="database", code=error.reason.name, message=happened.rstrip(".") + ".", remedy=remedy
    )
