"""The coordinator's own RPCs; all others are relayed."""

from __future__ import annotations

import grpc

from libs.core.errors import Reason, StorexError
from libs.core.paging import page_of
from libs.rpc.interceptors.base import Context, Handler, this_call
from services.coordinator.regions import RegionListing
from storex.fleet.v1 import fleet_pb2

DEFAULT_PAGE, LARGEST_PAGE = 100, 1000


class FleetServicer:
    """The part of FleetService whose scope is global."""

    def __init__(self, regions: RegionListing) -> None:
        self._regions = regions

    async def ListRegions(
        self, request: fleet_pb2.ListRegionsRequest, _context: Context
    ) -> fleet_pb2.ListRegionsResponse:
        """Lists the regions in which the caller may see at least one instance."""
        caller = this_call().caller
        if caller is None:
            raise StorexError(Reason.TOKEN_MISSING)
        regions = self._regions.visible_to(caller)
        page, following = page_of(
            regions, request.page_size, request.page_token, default=DEFAULT_PAGE, largest=LARGEST_PAGE
        )
        return fleet_pb2.ListRegionsResponse(regions=page, next_page_token=following)

    def handlers(self) -> dict[str, Handler]:
        """The handlers by method name. Not the generated registration, which would also claim what is relayed."""
        return {
            "ListRegions": grpc.unary_unary_rpc_method_handler(
                self.ListRegions,
                request_deserializer=fleet_pb2.ListRegionsRequest.FromString,
                response_serializer=fleet_pb2.ListRegionsResponse.SerializeToString,
            )
        }
