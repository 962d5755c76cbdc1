"""Reading the one field that every region-scoped request starts with, and nothing else of it."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from libs.core.errors import Reason, StorexError
from libs.core.names import ResourceName, parse_name
from storex.common.v1 import routing_pb2


def read_name(request: bytes, *, wildcards: bool, snapshots: bool = False) -> ResourceName:
    """The resource name of an encoded request.

    A request that is not the canonical encoding of one name and other fields is refused: with two names in it, the
    one that was authorised and the one that a handler decodes could differ. Raises StorexError REQUEST_MALFORMED,
    NAME_INVALID or WILDCARD_NOT_ALLOWED.
    """
    try:
        routing = routing_pb2.RoutingRequest.FromString(request)
    except DecodeError:
        raise StorexError(Reason.REQUEST_MALFORMED) from None
    # Fields other than the name are kept as they came. So a second name, which replaces the first, shows as a
    # shorter encoding, as does a length that is padded or a name that is present and empty.
    if routing.ByteSize() != len(request):
        raise StorexError(Reason.REQUEST_MALFORMED, detail="not one canonical name")
    return parse_name(routing.name, wildcards=wildcards, snapshots=snapshots)
