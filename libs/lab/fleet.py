"""A small fleet of real engines under a live workload: three regions, three clouds, two regulatory domains."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import yaml

from libs.core.names import ResourceName
from libs.lab.accounts import STOREX_USER, Login, create_account, grants
from libs.lab.engines import EngineBinary, RunningEngine, require_engines
from libs.lab.errors import IncidentError
from libs.lab.injection import Target
from libs.lab.replication import REPLICA_OPTIONS, catch_up, follow
from libs.lab.run import RunningIncident, bring_about
from libs.lab.schema import Service, create_database, create_tables
from libs.lab.server import APPLICATION_PRIVILEGES
from libs.lab.shop import SERVICES
from libs.lab.workload import Workload

_REGIONS: dict[str, tuple[str, str, tuple[tuple[str, str], ...]]] = {
    "eu-west-1": ("gdpr", "aws", (("orders-1", "orders"), ("payments-1", "payments"))),
    "eu-central-1": ("gdpr", "gcp", (("users-1", "users"), ("payments-2", "payments"))),
    "us-east-1": ("ccpa", "azure", (("orders-2", "orders"),)),
}
"""Region: regulatory domain, cloud, instances with the service that each serves. A team is named as its service."""

REPLICA_SUFFIX = "-replica"
"""What a replica is called after its primary's name."""

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
        self._performance_schema = True

    @classmethod
    def start(
        cls,
        base_dir: Path,
        *,
        engines: Sequence[EngineBinary] | None = None,
        state_dir: Path | None = None,
        only: Sequence[str] = (),
        replicas_of: Sequence[str] = (),
        performance_schema: bool = True,
    ) -> LabFleet:
        """Start the fleet under `base_dir` and write its `storex.yaml` there.

        Instances take turns with the given engines, by default all that are found; `only` names those to start, if
        not all. Each in `replicas_of` gets a replica beside it, called as it is with `-replica`. Raises LabError;
        what was started is stopped then, as it is on Ctrl-C.
        """
        fleet = cls(base_dir)
        fleet._performance_schema = performance_schema
        binaries = list(engines) if engines else require_engines()
        try:
            fleet._start_instances(binaries, only)
            for primary in replicas_of:
                fleet._start_replica(fleet.instances[primary])
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

    def _start_instances(self, binaries: list[EngineBinary], only: Sequence[str]) -> None:
        planned = [
            (ResourceName(region, instance), SERVICES[service])
            for region, (_, _, instances) in _REGIONS.items()
            for instance, service in instances
            if not only or instance in only
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
        engine = self._start_engine(binary, str(name.instance))
        with ExitStack() as undo:
            undo.callback(engine.kill)
            application = Login(engine.host, engine.port, service.account, secrets.token_urlsafe(18))
            storex_password = secrets.token_urlsafe(18)
            with engine.connect() as administrator:
                create_database(administrator, service.name)
                create_tables(administrator, service, service.name)
                rights = f"{APPLICATION_PRIVILEGES} ON `{service.name}`.*"
                create_account(administrator, application.user, application.password, [rights])
                create_account(administrator, STOREX_USER, storex_password, grants(engine.kind))
            self._set_to_work(name, service, engine, application, storex_password)
            undo.pop_all()

    def _start_replica(self, primary: LabInstance) -> None:
        """A replica of the same kind and version in the same region; the service's reading program uses it."""
        name = ResourceName(primary.name.region, f"{primary.short_name}{REPLICA_SUFFIX}")
        binary = primary.engine.binary
        engine = self._start_engine(binary, str(name.instance), REPLICA_OPTIONS[binary.kind])
        with ExitStack() as undo:
            undo.callback(engine.kill)
            source = primary.target.administrator
            follow(source, _administrator(engine))
            catch_up(source, _administrator(engine))
            application = replace(primary.target.application, port=engine.port)
            reading = replace(primary.service, programs=primary.service.programs[1:2])
            self._set_to_work(name, reading, engine, application, primary.storex_password, source)
            undo.pop_all()

    def _start_engine(self, binary: EngineBinary, name: str, options: Sequence[str] = ()) -> RunningEngine:
        directory = self.base_dir / "engines" / name
        return binary.start(directory, options=options, performance_schema=self._performance_schema)

    def _set_to_work(
        self,
        name: ResourceName,
        service: Service,
        engine: RunningEngine,
        application: Login,
        storex_password: str,
        source: Login | None = None,
    ) -> None:
        workload = Workload(application, service.name, service.programs)
        workload.start()
        administrator = _administrator(engine)
        target = Target(application, administrator, service, service.name, workload, source, engine.restart)
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
                "lab": True,
                "instances": {
                    short_name: _entry(instance)
                    for short_name, instance in self.instances.items()
                    if instance.name.region == region
                },
            }
            for region, (domain, cloud, _) in _REGIONS.items()
        }
        document = {"state_dir": str(state_dir), "users": _USERS, "regions": regions}
        self.config_path.write_text(yaml.safe_dump(document, sort_keys=False))

    def __enter__(self) -> LabFleet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _administrator(engine: RunningEngine) -> Login:
    return Login(engine.host, engine.port, engine.user, engine.password, is_patient=True)


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
