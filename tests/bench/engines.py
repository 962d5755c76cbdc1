"""One real server of each kind under the lab's workload, and what its process has cost, for benches of the shard."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from libs.config import InstanceConfig, load_config
from libs.lab.engines import EngineBinary
from libs.lab.fleet import LabFleet, LabInstance

PRIMARY = "orders-1"


@contextmanager
def fleet_of(binary: EngineBinary, *, replicas_of: Sequence[str] = ()) -> Iterator[LabFleet]:
    """A fleet of one server of that kind, and its replica where one is asked for; gone when the context ends."""
    with (
        tempfile.TemporaryDirectory(prefix="storex-bench-") as folder,
        LabFleet.start(Path(folder), engines=[binary], only=[PRIMARY], replicas_of=replicas_of) as fleet,
    ):
        yield fleet


def config_of(fleet: LabFleet, instance: LabInstance) -> InstanceConfig:
    """The inventory's entry of an instance."""
    return load_config(fleet.config_path).regions[instance.name.region].instances[instance.short_name]


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has used since it started (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
