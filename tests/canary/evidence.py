"""The engines' raw sources, and which canary must be visible in which: proof that planting worked."""

from __future__ import annotations

import base64
from collections.abc import Callable

from libs.lab.engines import RunningEngine
from tests.canary.markers import CLIENT_ADDRESS, NUMBER, customer, principal
from tests.canary.plants import (
    ATTRIBUTE,
    CLIENTS,
    DATABASE,
    INDEX,
    LEDGER,
    ORDERS,
    PARTITION,
    PROCEDURE,
    PROGRAM,
    REGIONS,
    USER,
)
from tests.canary.sessions import IN_MODE, UNDER_WAY

Read = Callable[[RunningEngine], str]


def _rows(*statements: str) -> Read:
    def read(engine: RunningEngine) -> str:
        return "\n".join(repr(row) for statement in statements for row in engine.execute(statement))

    return read


def _binlog(engine: RunningEngine) -> str:
    files = [str(row[0]) for row in engine.execute("SHOW BINARY LOGS")]
    return _rows(*(f"SHOW BINLOG EVENTS IN '{file}'" for file in files))(engine)


_P = "performance_schema"
_SOURCES: dict[str, Read] = {
    "rows": _rows(f"SELECT * FROM {DATABASE}.{CLIENTS}", f"SELECT * FROM {DATABASE}.{LEDGER}"),
    "processlist": _rows("SELECT * FROM information_schema.processlist"),
    "innodb status": _rows("SHOW ENGINE INNODB STATUS"),
    "error log": lambda engine: engine.error_log.read_text(errors="replace"),
    "slow log": lambda engine: engine.slow_log.read_text(errors="replace"),
    "sql text": _rows(f"SELECT sql_text, message_text FROM {_P}.events_statements_history"),
    "explain": _rows(
        f"EXPLAIN FORMAT=JSON SELECT * FROM {DATABASE}.{CLIENTS} WHERE amount > 0 AND note = '{customer('value')}'"
    ),
    "columns": _rows("SELECT * FROM information_schema.columns"),
    "tables": _rows("SELECT * FROM information_schema.tables", "SELECT * FROM information_schema.statistics"),
    "partitions": _rows("SELECT * FROM information_schema.partitions"),
    "views": _rows("SELECT * FROM information_schema.views", "SELECT * FROM information_schema.routines"),
    "attributes": _rows(f"SELECT * FROM {_P}.session_connect_attrs", f"SELECT * FROM {_P}.threads"),
    "metadata locks": _rows(f"SELECT * FROM {_P}.metadata_locks"),
    "variables": _rows(f"SELECT * FROM {_P}.user_variables_by_thread"),
    "settings": _rows("SHOW GLOBAL VARIABLES"),
    "xa": _rows("XA RECOVER"),
    "prepared": _rows(f"SELECT * FROM {_P}.prepared_statements_instances"),
    "digests": _rows(f"SELECT * FROM {_P}.events_statements_summary_by_digest"),
    "binlog": _binlog,
}
_SOURCES_OF: dict[str, dict[str, Read]] = {
    "MariaDB": {
        "lock data": _rows("SELECT lock_data FROM information_schema.innodb_locks"),
        "histograms": _rows("SELECT * FROM mysql.column_stats"),
    },
    "MySQL": {
        "lock data": _rows(f"SELECT lock_data FROM {_P}.data_locks"),
        "histograms": _rows("SELECT CAST(histogram AS CHAR) FROM information_schema.column_statistics"),
        "samples": _rows(f"SELECT query_sample_text FROM {_P}.events_statements_summary_by_digest"),
    },
}

_IN_OTHER_FORMS = {"hexstring", "hexnumber", "bit", "number", "forged", "like", "cut"}
_EVERYWHERE: list[tuple[str, str]] = [
    *((("processlist"), customer(place)) for place in {*UNDER_WAY, *IN_MODE} - _IN_OTHER_FORMS - {"call"}),
    ("processlist", customer("hexstring").encode().hex()),
    ("processlist", customer("hexnumber").encode().hex()),
    ("processlist", "".join(f"{byte:08b}" for byte in customer("bit").encode())),
    ("processlist", str(NUMBER)),
    ("processlist", customer("like")[:11]),
    ("processlist", customer("cut")),
    ("processlist", customer("routine")),
    ("processlist", customer("alter")),
    ("processlist", CLIENT_ADDRESS),
    ("processlist", USER),
    ("rows", customer("value")),
    ("rows", customer("rowa")),
    ("innodb status", customer("deadlock")),
    ("innodb status", customer("rowa").encode()[:16].hex()),
    ("innodb status", customer("waiting")),
    ("innodb status", customer("forged")),
    ("innodb status", USER),
    ("error log", customer("deadlock")),
    ("slow log", customer("workselect")),
    ("slow log", USER),
    ("sql text", customer("workselect")),
    ("sql text", f"Duplicate entry '{customer('rowa')}'"),
    ("sql text", customer("signal")),
    ("explain", customer("value")),
    ("lock data", customer("rowc")),
    ("columns", customer("default")),
    ("columns", customer("columncomment")),
    ("columns", customer("enum")),
    ("tables", customer("tablecomment")),
    ("tables", customer("indexcomment")),
    ("tables", INDEX),
    ("partitions", customer("partition")),
    ("partitions", PARTITION),
    ("partitions", REGIONS),
    ("views", customer("view")),
    ("views", customer("routine")),
    ("views", PROCEDURE),
    ("attributes", PROGRAM),
    ("attributes", ATTRIBUTE),
    ("metadata locks", customer("lock")),
    ("variables", customer("uservariable")),
    ("variables", customer("initconnect")),
    ("settings", customer("initconnect")),
    ("settings", principal("reporthost")),
    ("xa", customer("xa")),
    ("prepared", customer("prepared")),
    ("digests", DATABASE),
    ("digests", ORDERS),
    ("binlog", customer("workrows")),
]
_ON: dict[str, list[tuple[str, str]]] = {
    "MariaDB": [("histograms", customer("rowa")), ("innodb status", customer("orphan"))],
    "MySQL": [
        ("histograms", base64.b64encode(customer("value").encode()).decode()[:12]),
        ("samples", customer("workselect")),
        ("settings", principal("role")),
    ],
}


def missing(engine: RunningEngine) -> list[tuple[str, str]]:
    """The canaries that the engine does not show where they were planted, with the source; empty if all is well."""
    sources = {name: read(engine).lower() for name, read in {**_SOURCES, **_SOURCES_OF[engine.kind]}.items()}
    wanted = [*_EVERYWHERE, *_ON[engine.kind]]
    return [(source, canary) for source, canary in wanted if canary.lower() not in sources[source]]
