"""A replica of a lab server: how it is made, and what it says of itself."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from libs.lab.accounts import Login, create_account
from libs.lab.errors import IncidentError
from libs.lab.injection import Target

REPLICA_OPTIONS = {
    "MariaDB": ("--relay-log=relay", "--read-only=ON"),
    "MySQL": ("--relay-log=relay", "--read-only=ON", "--replica-parallel-workers=1"),
}
"""How a replica is started. One applier thread on both: what it can take is then known."""

DEFAULT_CHANNEL = "default"
"""How the channel without a name is called in a report."""

_ACCOUNT = "replication"
_FOLLOW = {
    "MariaDB": "CHANGE MASTER TO MASTER_HOST=%s, MASTER_PORT=%s, MASTER_USER=%s, MASTER_PASSWORD=%s,"
    " MASTER_CONNECT_RETRY=2",
    "MySQL": "CHANGE REPLICATION SOURCE TO SOURCE_HOST=%s, SOURCE_PORT=%s, SOURCE_USER=%s, SOURCE_PASSWORD=%s,"
    " SOURCE_CONNECT_RETRY=2, GET_SOURCE_PUBLIC_KEY=1",
}
_CATCH_UP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """What the replica's status says; the lag is None where the server does not know it."""

    channel: str
    receiver_runs: bool
    applier_runs: bool
    lag_seconds: int | None
    error_code: int


def follow(source: Login, replica: Login) -> None:
    """Make an empty server replicate another from that one's first binary log on. Raises pymysql errors."""
    password = secrets.token_urlsafe(18)
    with source.connect(program="lab") as connection:
        create_account(connection, _ACCOUNT, password, ["REPLICATION SLAVE ON *.*"])
    kind = "MariaDB" if replica.is_mariadb() else "MySQL"
    replica.execute(_FOLLOW[kind], (source.host, source.port, _ACCOUNT, password))
    replica.execute("START REPLICA")


def replica_status(replica: Login) -> ReplicaStatus:
    """The status of the first channel. Raises IncidentError where the server is no replica."""
    with replica.connect(program="lab") as connection, connection.cursor() as cursor:
        cursor.execute("SHOW ALL SLAVES STATUS" if replica.is_mariadb() else "SHOW REPLICA STATUS")
        row = cursor.fetchone()
        names = [_current_name(column[0]) for column in cursor.description or ()]
    if row is None:
        raise IncidentError("The server replicates from nobody.")
    fields = dict(zip(names, row, strict=True))
    lag = fields["Seconds_Behind_Source"]
    return ReplicaStatus(
        str(fields.get("Channel_Name") or fields.get("Connection_name") or DEFAULT_CHANNEL),
        fields["Replica_IO_Running"] == "Yes",
        fields["Replica_SQL_Running"] == "Yes",
        None if lag is None else int(lag),
        int(fields["Last_SQL_Errno"] or fields["Last_IO_Errno"] or 0),
    )


def catch_up(source: Login, replica: Login) -> None:
    """Wait until the replica has applied what its source has written so far. Raises IncidentError when it does not."""
    if source.is_mariadb():
        position, wait = "SHOW MASTER STATUS", "SELECT MASTER_POS_WAIT(%s, %s, %s)"
    else:
        position, wait = "SHOW BINARY LOG STATUS", "SELECT SOURCE_POS_WAIT(%s, %s, %s)"
    file, offset, *_ = source.execute(position)[0]
    (waited,) = replica.execute(wait, (file, offset, _CATCH_UP_SECONDS))[0]
    if waited is None or int(waited) < 0:
        raise IncidentError("The replica does not catch up with its source: is it lagging or stopped already?")


def source_of(target: Target) -> Login:
    """The primary of a target that is a replica. Raises IncidentError for others."""
    if target.source is None:
        raise IncidentError("This incident needs a replica that the lab has made: use the lab's fleet with replicas.")
    return target.source


def locally(replica: Login, statement: str) -> None:
    """Run a statement on the replica that is not written to its binary log. Raises pymysql errors."""
    with replica.connect(program="lab") as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION sql_log_bin = 0")
        cursor.execute(statement)


def _current_name(name: str) -> str:
    """MariaDB keeps the columns' former names."""
    return name.replace("Slave", "Replica").replace("Master", "Source")
