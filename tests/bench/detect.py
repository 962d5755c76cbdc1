"""`make bench BENCH=detect`: seconds from the symptom of each of the lab's incidents to its finding in the health.

The symptom is there when the injector says so. The baseline is one assessment that reads everything live, on the same
server right before: what it would take at least to somebody who does not watch, and asks at that very moment.
"""

from __future__ import annotations

import asyncio
import time

from libs.core.clock import SystemClock
from libs.lab.engines import EngineBinary, require_engines
from libs.lab.errors import LabError
from libs.lab.fleet import REPLICA_SUFFIX, LabFleet
from libs.lab.incidents import INCIDENTS, Incident
from services.shard.instances import Instance
from services.shard.verdict.health import assess
from tests.bench.engines import PRIMARY, config_of, fleet_of
from tests.bench.rows import Row

LONGEST = 30.0
"""A finding that takes longer is missed: its value is this."""
SETTLING = 4.0
CLEARS_WITHIN = 40.0


def run() -> list[Row]:
    """Each incident that has a detector, one after the other, on each kind of server; about ten minutes."""
    rows: list[Row] = []
    for binary in require_engines():
        for on_replica in (False, True):
            wanted = [one for one in INCIDENTS.values() if _is_single_fault(one) and one.needs_replica == on_replica]
            with fleet_of(binary, replicas_of=[PRIMARY] if on_replica else []) as fleet:
                rows += asyncio.run(_all(binary, fleet, PRIMARY + REPLICA_SUFFIX * on_replica, wanted))
    return rows


def _is_single_fault(incident: Incident) -> bool:
    return incident.id.partition(".")[0] not in ("healthy", "two", "herring")


async def _all(binary: EngineBinary, fleet: LabFleet, place: str, incidents: list[Incident]) -> list[Row]:
    instance = Instance(config_of(fleet, fleet.instances[place]), SystemClock())
    rows = []
    try:
        for incident in incidents:
            await asyncio.sleep(SETTLING)
            began = time.monotonic()
            await assess(instance.view, {})
            look = time.monotonic() - began
            seconds = await _seconds_to_finding(instance, fleet, place, incident)
            if seconds is not None:
                rows.append(Row(f"detect.{binary.kind}.{incident.id}", round(seconds, 2), "s", look))
    finally:
        await instance.close()
    return rows


async def _seconds_to_finding(instance: Instance, fleet: LabFleet, place: str, incident: Incident) -> float | None:
    """None where this server cannot be brought into it."""
    finding = asyncio.create_task(_found_at(instance, incident.id))
    try:
        running = await asyncio.to_thread(fleet.inject, incident.id, place)
    except LabError:
        finding.cancel()
        return None
    symptom = time.monotonic()
    try:
        return max(0.0, await asyncio.wait_for(finding, LONGEST) - symptom)
    except TimeoutError:
        return LONGEST
    finally:
        await asyncio.to_thread(running.stop)
        await _until_clear(instance)


async def _found_at(instance: Instance, kind: str) -> float:
    while True:
        health = await instance.health.current()
        if any(finding.kind == kind for finding in health.findings):
            return time.monotonic()
        await asyncio.sleep(0.1)


async def _until_clear(instance: Instance) -> None:
    for _ in range(int(CLEARS_WITHIN)):
        if not (await instance.health.current()).findings:
            return
        await asyncio.sleep(1.0)
