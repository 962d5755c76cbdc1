"""A small fleet of real engines under a live workload: three regions, three clouds, two regulatory domains."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import yaml

from libs.core.names import ResourceName
from libs.lab.accounts import STOREX_USER, Login, create_account, grants
from libs.lab.engines import EngineBinary, RunningEngine, require_engines
from libs.lab.errors import IncidentError
from libs.lab.injection import Target
from libs.lab.run import RunningIncident, bring_about
from libs.lab.schema import Service, create_database, create_tables
from libs.lab.shop import SERVICES
from libs.lab.workload import Workload

_REGIONS: dict[str, tuple[str, str, tuple[tuple[str, str], ...]]] = {
    "eu-west-1": ("gdpr", "aws", (("orders-1", "orders"), ("payments-1", "payments"))),
    "eu-central-1": ("gdpr", "gcp", (("users-1", "users"), ("payments-2", "payments"))),
    "us-east-1": ("ccpa", "azure", (("orders-2", "orders"),)),
}
"""Region: regulatory domain, cloud, instances with the service that each serves. A team is named as its service."""

_USERS = {
    "payments-oncall": {"teams": ["payments"], "roles": ["on-call"]},
    "orders-oncall": {"teams": ["orders"], "roles": ["on-call"]},
    "payments-viewer": {"teams": ["payments"], "roles": ["viewer"]},
}


@dataclass(slots=True)
class LabInstance:
    """One engine of the fleet, its service, and the clients at work on it."""

    name: ResourceName
    service: Service
    engine: RunningEngine
    workload: Workload
    target: Target
    storex_password: str

    @property
    def short_name(self) -> str:
        """Its name within its region."""
        return self.name.instance or ""

    def stop(self) -> None:
        """End the engine at once, then its clients."""
        self.engine.kill()
        self.workload.stop()


class LabFleet:
    """The running fleet; use as a context manager, or call `stop`."""

    def __init__(self, base_dir: Path) -> None:
        self.base_dir = base_dir
        self.config_path = base_dir / "storex.yaml"
        self.instances: dict[str, LabInstance] = {}
        """Every instance by its short name."""
        self._incidents: list[RunningIncident] = []

    @classmethod
    def start(
        cls, base_dir: Path, *, engines: Sequence[EngineBinary] | None = None, state_dir: Path | None = None
    ) -> LabFleet:
        """Start the fleet under `base_dir` and write its `storex.yaml` there.

        Instances take turns with the given engines, by default all that are found. Raises LabError; what was started
        is stopped then, as it is on Ctrl-C.
        """
        fleet = cls(base_dir)
        binaries = list(engines) if engines else require_engines()
        try:
            fleet._start_instances(binaries)
            fleet._write_configuration(state_dir or base_dir / "state")
        except BaseException:
            fleet.stop()
            raise
        return fleet

    def inject(self, incident_id: str, instance: str) -> RunningIncident:
        """Bring an incident about in an instance, by its short name. Raises IncidentError."""
        if instance not in self.instances:
            raise IncidentError(f"The lab has no instance {instance!r}. Choose one of: {', '.join(self.instances)}.")
        running = bring_about(incident_id, self.instances[instance].target)
        self._incidents.append(running)
        return running

    def stop(self) -> None:
        """Stop everything and remove the engines' data; nothing happens the second time."""
        with ExitStack() as undo:
            undo.callback(shutil.rmtree, self.base_dir / "engines", ignore_errors=True)
            for running in self._incidents:
                undo.callback(running.stop)
            for instance in self.instances.values():
                undo.callback(instance.stop)
        self._incidents.clear()
        self.instances.clear()

    def _start_instances(self, binaries: list[EngineBinary]) -> None:
        planned = [
            (ResourceName(region, instance), SERVICES[service])
            for region, (_, _, instances) in _REGIONS.items()
            for instance, service in instances
        ]
        pool = ThreadPoolExecutor(len(planned))
        try:
            starting = [
                pool.submit(self._start_instance, name, service, binaries[place % len(binaries)])
                for place, (name, service) in enumerate(planned)
            ]
            for started in starting:
                started.result()
        finally:
            pool.shutdown(cancel_futures=True)  # also on Ctrl-C: what is half started must be known to be stopped
        self.instances = {str(name.instance): self.instances[str(name.instance)] for name, _ in planned}

    def _start_instance(self, name: ResourceName, service: Service, binary: EngineBinary) -> None:
        engine = binary.start(self.base_dir / "engines" / str(name.instance))
        with ExitStack() as undo:
            undo.callback(engine.kill)
            application = Login(engine.host, engine.port, service.account, secrets.token_urlsafe(18))
            storex_password = secrets.token_urlsafe(18)
            with engine.connect() as administrator:
                create_database(administrator, service.name)
                create_tables(administrator, service, service.name)
                whole_database = f"SELECT, INSERT, UPDATE, DELETE ON `{service.name}`.*"
                create_account(administrator, application.user, application.password, [whole_database])
                create_account(administrator, STOREX_USER, storex_password, grants(engine.kind))
            workload = Workload(application, service.name, service.programs)
            workload.start()
            undo.pop_all()
        target = Target(
            application, Login(engine.host, engine.port, engine.user, engine.password), service, service.name
        )
        self.instances[str(name.instance)] = LabInstance(name, service, engine, workload, target, storex_password)

    def _write_configuration(self, state_dir: Path) -> None:
        folder = self.base_dir / "secrets"
        folder.mkdir(mode=0o700, exist_ok=True)
        for instance in self.instances.values():
            password_file = folder / instance.short_name
            password_file.touch(mode=0o600)
            password_file.write_text(instance.storex_password)
        regions = {
            region: {
                "domain": domain,
                "cloud": cloud,
                "environment": "prod",
                "instances": {short_name: _entry(self.instances[short_name]) for short_name, _ in instances},
            }
            for region, (domain, cloud, instances) in _REGIONS.items()
        }
        document = {"state_dir": str(state_dir), "users": _USERS, "regions": regions}
        self.config_path.write_text(yaml.safe_dump(document, sort_keys=False))

    def __enter__(self) -> LabFleet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _entry(instance: LabInstance) -> dict[str, object]:
    engine = instance.engine
    return {
        "host": engine.host,
        "port": engine.port,
        "user": STOREX_USER,
        "password_file": f"secrets/{instance.short_name}",
        "team": instance.service.name,
        "labels": {"service": instance.service.name},
        "logs": {"slow": str(engine.slow_log), "error": str(engine.error_log)},
    }
