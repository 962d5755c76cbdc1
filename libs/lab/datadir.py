"""What a server needs before and at its start: its system tables, its administrator, its options.

MariaDB's system tables are made as its own installer makes them, by feeding the server's SQL files to
`mariadbd --bootstrap`: the installer itself needs programs that `mariadb-server-core` does not bring.
Making them costs about a second (MariaDB) or several (MySQL), so that is done once a process and copied.
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import subprocess
import tempfile
import threading
from functools import cached_property
from pathlib import Path

from libs.lab.errors import EngineError

ADMINISTRATOR = "root"
ERROR_LOG, SLOW_LOG, OUTPUT_LOG = "error.log", "slow.log", "output.log"

_DATA, _PASSWORD = "data", "administrator.password"
_SYSTEM_TABLES = (
    "mysql_system_tables.sql",
    "mysql_performance_tables.sql",
    "mysql_system_tables_data.sql",
    "maria_add_gis_sp_bootstrap.sql",
    "mysql_sys_schema.sql",
)
_COMMON = (
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--max-connections=120",
    "--innodb-buffer-pool-size=64M",
    "--innodb-flush-log-at-trx-commit=2",  # temporary data: a crash of the machine may lose a second
    "--innodb-use-native-aio=0",  # the kernel's pool of asynchronous requests is small and shared
    "--sync-binlog=0",
    "--binlog-format=ROW",
    "--slow-query-log=ON",
    "--long-query-time=1",
)
_MYSQL_FOR_INCIDENTS = (
    "--innodb-buffer-pool-chunk-size=1M",  # the pool can be made smaller
    "--log-error-verbosity=3",  # else refused logins are not in the error log
)
_OF_KIND = {
    "MariaDB": ("--innodb-log-file-size=32M",),
    "MySQL": ("--innodb-redo-log-capacity=32M", "--mysqlx=OFF", "--secure-file-priv=NULL", *_MYSQL_FOR_INCIDENTS),
}
_MARIADB_PERFORMANCE_SCHEMA = (  # off by default there, and without these it shows neither statements nor MDL
    "--performance-schema-instrument=wait/lock/metadata/sql/mdl=ON",
    "--performance-schema-consumer-events-statements-current=ON",
    "--performance-schema-consumer-events-statements-history=ON",
)


def server_options(kind: str, directory: Path, port: int, *, performance_schema: bool) -> list[str]:
    """The options that start a server of this kind on the data in `directory`."""
    options = [
        f"--datadir={directory / _DATA}",
        f"--tmpdir={directory / 'tmp'}",
        "--socket=engine.sock",  # relative to the data: a path over 107 bytes would not do
        f"--pid-file={directory / 'engine.pid'}",
        f"--log-error={directory / ERROR_LOG}",
        f"--slow-query-log-file={directory / SLOW_LOG}",
        f"--port={port}",
        f"--server-id={port}",
        "--log-bin=binlog",
        *_as_current_user(),
        *_COMMON,
        *_OF_KIND[kind],
        f"--performance-schema={'ON' if performance_schema else 'OFF'}",
    ]
    if kind == "MariaDB" and performance_schema:
        options += _MARIADB_PERFORMANCE_SCHEMA
    return options


def prepare(kind: str, command: tuple[str, ...], directory: Path) -> str:
    """Give `directory` data unless it has some; returns the administrator's password. Raises EngineError."""
    password_file = directory / _PASSWORD
    if not password_file.exists():
        template = TEMPLATES.get(kind, command)
        shutil.copytree(template.data, directory / _DATA)
        (directory / "tmp").mkdir(exist_ok=True)
        password_file.touch(mode=0o600)
        password_file.write_text(template.password)
    return password_file.read_text()


class _Template:
    """System tables of one server, made once."""

    def __init__(self, kind: str, command: tuple[str, ...], directory: Path) -> None:
        self.data = directory / _DATA
        self.password = secrets.token_urlsafe(18)
        self.data.mkdir(parents=True, mode=0o700)
        (_bootstrap_mariadb if kind == "MariaDB" else _initialise_mysql)(command, self.data, self.password)


class Templates:
    """The system tables that this process has made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_command: dict[tuple[str, ...], _Template] = {}

    @cached_property
    def root(self) -> Path:
        """Where they are kept until the process ends; the engines' guards remove it if the process is killed."""
        root = Path(tempfile.mkdtemp(prefix="storex-lab-"))
        atexit.register(shutil.rmtree, root, ignore_errors=True)
        return root

    def get(self, kind: str, command: tuple[str, ...]) -> _Template:
        """Those of this server, made at the first call. Raises EngineError."""
        with self._lock:
            if command not in self._by_command:
                directory = Path(tempfile.mkdtemp(dir=self.root))
                self._by_command[command] = _Template(kind, command, directory)
            return self._by_command[command]


TEMPLATES = Templates()


def _as_current_user() -> list[str]:
    return ["--user=root"] if os.geteuid() == 0 else []  # servers refuse to run as root unless told to


def _administrator_statements(password: str) -> list[str]:
    account = f"'{ADMINISTRATOR}'@'127.0.0.1'"
    return [
        f"DROP USER IF EXISTS {account}",
        f"CREATE USER {account} IDENTIFIED BY '{password}'",
        f"GRANT ALL ON *.* TO {account} WITH GRANT OPTION",
    ]


def _bootstrap_mariadb(command: tuple[str, ...], data: Path, password: str) -> None:
    share = _share_directory(command)
    parts = ["CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket = NULL;\n"]
    parts += [(share / name).read_text(errors="surrogateescape") for name in _SYSTEM_TABLES]
    parts.append("".join(f"{line};\n" for line in ("FLUSH PRIVILEGES", *_administrator_statements(password))))
    options = [
        "--bootstrap",
        f"--datadir={data}",
        f"--tmpdir={_own_temporary_directory(data)}",
        "--log-warnings=0",
        "--enforce-storage-engine=",
        "--max-allowed-packet=8M",  # the sys schema is one long statement after another
        "--innodb-log-file-size=32M",
        "--innodb-use-native-aio=0",
        *_as_current_user(),
    ]
    _run([*command, *options], "".join(parts).encode(errors="surrogateescape"))


def _own_temporary_directory(data: Path) -> Path:
    """Beside the data: a server that starts clears its temporary directory of what another one may be using."""
    directory = data.parent / "tmp"
    directory.mkdir(exist_ok=True)
    return directory


def _share_directory(command: tuple[str, ...]) -> Path:
    """Where MariaDB keeps the SQL of its system tables: beside the character sets that it names in its help."""
    answer = _run([*command, *_as_current_user(), "--verbose", "--help"])
    for line in answer.splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == "character-sets-dir":
            share = Path(words[1]).parent
            if (share / _SYSTEM_TABLES[0]).exists():
                return share
    raise EngineError(f"{command[0]} does not say where its system tables' SQL is. Reinstall mariadb-server-core.")


def _initialise_mysql(command: tuple[str, ...], data: Path, password: str) -> None:
    statements = data.parent / "administrator.sql"
    statements.touch(mode=0o600)
    statements.write_text("".join(f"{line};\n" for line in _administrator_statements(password)))
    options = [
        f"--datadir={data}",
        f"--tmpdir={_own_temporary_directory(data)}",
        f"--init-file={statements}",
        "--innodb-use-native-aio=0",
        *_as_current_user(),
    ]
    _run([*command, "--initialize-insecure", "--innodb-redo-log-capacity=32M", *options])
    statements.unlink()
    (data / "auto.cnf").unlink(missing_ok=True)  # the server's own id: each copy makes one for itself


def _run(command: list[str], feed: bytes = b"") -> str:
    answer = subprocess.run(command, input=feed, capture_output=True, check=False, timeout=120)
    if answer.returncode != 0:
        lines = (answer.stderr or answer.stdout).decode(errors="replace").splitlines()
        raise EngineError(f"{command[0]} failed: {' | '.join(lines[-5:])}")
    return answer.stdout.decode(errors="replace")
