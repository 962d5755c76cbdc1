"""A primary and its replica beside the fleet's other instances, and what can go wrong between them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from libs.config import load_config
from libs.lab.accounts import Login
from libs.lab.engines import EngineBinary
from libs.lab.errors import IncidentError
from libs.lab.fleet import REPLICA_SUFFIX, LabFleet
from libs.lab.replication import catch_up, replica_status
from tests.integration.lab.conftest import ENGINE_NAMES, ENGINES
from tests.integration.lab.symptoms import eventually

pytestmark = [pytest.mark.engine, pytest.mark.slow]

PRIMARY = "payments-1"
REPLICA = PRIMARY + REPLICA_SUFFIX


@pytest.fixture(scope="module", params=ENGINES, ids=ENGINE_NAMES)
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabFleet]:
    binary: EngineBinary = request.param
    folder = tmp_path_factory.mktemp("fleet")
    with LabFleet.start(folder, engines=[binary], only=[PRIMARY], replicas_of=[PRIMARY]) as running:
        yield running


@pytest.fixture
def replica(fleet: LabFleet) -> Iterator[Login]:
    """The replica's administrator; after the test it replicates again and has caught up."""
    administrator = fleet.instances[REPLICA].target.administrator
    yield administrator
    eventually(lambda: replica_status(administrator).applier_runs)
    catch_up(fleet.instances[PRIMARY].target.administrator, administrator)
    eventually(lambda: replica_status(administrator).lag_seconds == 0)


def test_the_replica_is_an_instance_of_the_same_region_with_clients_that_read(fleet: LabFleet, replica: Login) -> None:
    region = load_config(fleet.config_path).regions["eu-west-1"]
    assert {PRIMARY, REPLICA} <= set(region.instances)
    instance = fleet.instances[REPLICA]
    password = region.instances[REPLICA].password()
    with instance.engine.connect(user=region.instances[REPLICA].user, password=password):
        pass
    assert replica.execute("SELECT @@read_only") == [(1,)]
    before = instance.workload.operations
    eventually(lambda: instance.workload.operations > before)
    assert instance.workload.problems == []


def test_stopped(fleet: LabFleet, replica: Login) -> None:
    with fleet.inject("replication.stopped", REPLICA) as running:
        status = replica_status(replica)
        assert (status.receiver_runs, status.applier_runs, status.error_code) == (True, False, 0)
        assert status.lag_seconds is None
        assert running.truth.entities == (("affected", "channel", "default"),)


def test_error(fleet: LabFleet, replica: Login) -> None:
    with fleet.inject("replication.error", REPLICA) as running:
        status = replica_status(replica)
        assert (status.applier_runs, status.error_code) == (False, 1062)
        assert ("cause", "error_code", "1062") in running.truth.entities


def test_lag(fleet: LabFleet, replica: Login) -> None:
    with fleet.inject("replication.lag", REPLICA) as running:
        status = replica_status(replica)
        assert status.receiver_runs
        assert status.applier_runs
        eventually(lambda: (replica_status(replica).lag_seconds or 0) >= 4)
        assert ("affected", "table", "payments.price_list") in running.truth.entities


def test_only_on_a_replica(fleet: LabFleet) -> None:
    with pytest.raises(IncidentError, match="needs a replica"):
        fleet.inject("replication.stopped", PRIMARY)
    with pytest.raises(IncidentError, match="replicates from nobody"):
        replica_status(fleet.instances[PRIMARY].target.administrator)
