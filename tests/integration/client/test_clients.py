from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.rpc import error_details_pb2, status_pb2

from libs.client import AsyncStorexClient, CallError, StorexClient
from storex.diagnostics.v1.diagnostics_pb2 import StreamHealthRequest
from storex.fleet.v1 import fleet_pb2, fleet_pb2_grpc


@dataclass
class Fleet(fleet_pb2_grpc.FleetServiceServicer):
    """A fleet of two regions, one of which does not answer; remembers what it was asked with."""

    asked_with: list[dict[str, str | bytes]] = field(default_factory=list)
    stream_ended: threading.Event = field(default_factory=threading.Event)

    def ListRegions(
        self, request: fleet_pb2.ListRegionsRequest, context: grpc.ServicerContext
    ) -> fleet_pb2.ListRegionsResponse:
        self.asked_with.append(dict(context.invocation_metadata()))
        if request.page_token:
            return fleet_pb2.ListRegionsResponse(regions=[fleet_pb2.Region(name="regions/us")])
        return fleet_pb2.ListRegionsResponse(regions=[fleet_pb2.Region(name="regions/eu")], next_page_token="2")

    def StreamInstances(
        self, request: fleet_pb2.StreamInstancesRequest, context: grpc.ServicerContext
    ) -> Iterator[fleet_pb2.StreamInstancesResponse]:
        context.add_callback(self.stream_ended.set)
        yield fleet_pb2.StreamInstancesResponse(instance=fleet_pb2.Instance(name="regions/eu/instances/a"))
        dead = fleet_pb2.StreamInstancesResponse()
        dead.region_error.name = "regions/us"
        yield dead
        if request.name == "regions/endless":
            self.stream_ended.wait(20)

    def ListInstances(
        self, request: fleet_pb2.ListInstancesRequest, context: grpc.ServicerContext
    ) -> fleet_pb2.ListInstancesResponse:
        return fleet_pb2.ListInstancesResponse()

    def GetInstance(
        self, request: fleet_pb2.GetInstanceRequest, context: grpc.ServicerContext
    ) -> fleet_pb2.GetInstanceResponse:
        if request.name == "slow":
            self.stream_ended.wait(1)
        info, packed = error_details_pb2.ErrorInfo(domain="storex", reason="RESOURCE_NOT_FOUND"), Any()
        packed.Pack(info)
        status = status_pb2.Status(details=[packed])
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.NOT_FOUND, "No such resource.")


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@pytest.fixture
def address(fleet: Fleet) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(4))
    fleet_pb2_grpc.add_FleetServiceServicer_to_server(fleet, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    fleet.stream_ended.set()
    server.stop(0).wait()


def test_a_listing_has_all_pages_and_the_regions_that_did_not_answer(address: str) -> None:
    with StorexClient(address, lambda: "t") as client:
        listing = client.listing()
    assert [region.name for region in listing.regions] == ["regions/eu", "regions/us"]
    assert [instance.name for instance in listing.instances] == ["regions/eu/instances/a"]
    assert [error.name for error in listing.errors] == ["regions/us"]


def test_the_token_is_asked_for_anew_on_every_call(address: str, fleet: Fleet) -> None:
    tokens = iter(["one", "two"])
    with StorexClient(address, lambda: next(tokens)) as client:
        for _ in range(2):
            client.call(client.fleet.ListRegions, fleet_pb2.ListRegionsRequest())
    assert [asked["authorization"] for asked in fleet.asked_with] == ["Bearer one", "Bearer two"]
    assert len({asked["x-request-id"] for asked in fleet.asked_with}) == 2


def test_failures_are_typed(address: str, fleet: Fleet) -> None:
    with StorexClient(address, lambda: "t") as client:
        with pytest.raises(CallError) as caught:
            client.call(client.fleet.GetInstance, fleet_pb2.GetInstanceRequest())
        assert (caught.value.reason, caught.value.status) == ("RESOURCE_NOT_FOUND", "NOT_FOUND")
        with pytest.raises(CallError) as caught:
            client.call(client.fleet.GetInstance, fleet_pb2.GetInstanceRequest(name="slow"), seconds=0.2)
        assert caught.value.status == "DEADLINE_EXCEEDED"
        with pytest.raises(CallError) as caught:
            list(client.stream(client.diagnostics.StreamHealth, StreamHealthRequest()))
        assert caught.value.status == "UNIMPLEMENTED"


def test_nobody_there_is_a_retryable_failure() -> None:
    with StorexClient("127.0.0.1:1", lambda: "t") as client, pytest.raises(CallError) as caught:
        client.call(client.fleet.ListRegions, fleet_pb2.ListRegionsRequest(), seconds=5)
    assert caught.value.reason == "COORDINATOR_UNREACHABLE"
    assert caught.value.retry_seconds is not None


def test_leaving_a_stream_cancels_it(address: str, fleet: Fleet) -> None:
    with StorexClient(address, lambda: "t") as client:
        stream = client.stream(client.fleet.StreamInstances, fleet_pb2.StreamInstancesRequest(name="regions/endless"))
        assert next(stream).instance.name == "regions/eu/instances/a"
        stream.close()
        assert fleet.stream_ended.wait(5)


async def test_the_async_client_does_the_same(address: str, fleet: Fleet) -> None:
    async with AsyncStorexClient(address, lambda: "t") as client:
        answer = await client.call(client.fleet.ListRegions, fleet_pb2.ListRegionsRequest())
        assert answer.regions[0].name == "regions/eu"
        request = fleet_pb2.StreamInstancesRequest(name="regions/-")
        received = [answer async for answer in client.stream(client.fleet.StreamInstances, request)]
        assert [answer.WhichOneof("result") for answer in received] == ["instance", "region_error"]
        with pytest.raises(CallError) as caught:
            await client.call(client.fleet.GetInstance, fleet_pb2.GetInstanceRequest())
        assert caught.value.message == "No such resource."
        with pytest.raises(CallError) as caught:
            [answer async for answer in client.stream(client.diagnostics.StreamHealth, StreamHealthRequest())]
        assert caught.value.status == "UNIMPLEMENTED"


async def test_leaving_an_async_stream_cancels_it(address: str, fleet: Fleet) -> None:
    async with AsyncStorexClient(address, lambda: "t") as client:
        request = fleet_pb2.StreamInstancesRequest(name="regions/endless")
        stream = client.stream(client.fleet.StreamInstances, request)
        assert (await anext(stream)).instance.name == "regions/eu/instances/a"
        await stream.aclose()
        assert fleet.stream_ended.wait(5)
