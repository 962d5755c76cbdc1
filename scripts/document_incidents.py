"""Write docs/reference/incidents.md from the lab's registry, or with --check say whether it is current."""

from __future__ import annotations

import sys
from pathlib import Path

from libs.core.catalogue import CATALOGUE
from libs.lab.incidents import INCIDENTS, Incident

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "incidents.md"

HEAD = """# The lab's incidents

Made by `scripts/document_incidents.py` from `libs/lab/incidents/__init__.py`. Each is brought about on real servers of
every kind by `tests/integration/lab/test_faults.py` and `test_replication.py`, which check that the server shows it to
its administrator and that nothing of it stays. What Storex finds of each is in [detection.md](detection.md).

| id | what happens | where |
|---|---|---|
"""

TAIL = """
All of them can be made on MariaDB 10.6+ and on MySQL 8.4+. What differs:

- `query.plan_regression`: MariaDB does not read InnoDB's statistics again while a table is in use, so they are spoiled
  in its engine-independent tables there (`mysql.index_stats`), on MySQL in `mysql.innodb_index_stats`.
- `replication.lag`: MariaDB searches a table without a key for each row, MySQL once for each event of several rows;
  the table is larger on MySQL for the same lag.
- `capacity.table_full`: a table of the engine MEMORY. InnoDB's own tablespaces cannot be filled without filling the
  disk or starting the server with a limit.
- `access.auth_failed`: the server counts refused logins (`Aborted_connects`); whose they are is in its error log only,
  on MySQL only with `log_error_verbosity=3`, which the lab sets. The truth is what the server told the client.
- `connections.exhausted`: `Connection_errors_max_connections` counts on MySQL and stays 0 on MariaDB.
- `innodb.flush_per_commit`: MariaDB counts `Innodb_data_fsyncs`, MySQL `Innodb_os_log_fsyncs` as well.
- `innodb.buffer_pool`: on a MySQL of your own the pool shrinks only to a multiple of `innodb_buffer_pool_chunk_size`.

Not made: {missing}; [detection.md](detection.md#not-made-here) says why.
"""


def row(entry: Incident) -> str:
    """One line of the table."""
    where = "a replica" if entry.needs_replica else "the lab's fleet" if entry.restarts else "any server"
    return f"| `{entry.id}` | {entry.title} | {where} |\n"


def page() -> str:
    """The whole page."""
    missing = " and ".join(f"`{kind}`" for kind in CATALOGUE if kind not in INCIDENTS)
    return HEAD + "".join(row(entry) for entry in INCIDENTS.values()) + TAIL.replace("{missing}", missing)


def main() -> int:
    """Run from the command line; returns the exit status."""
    if "--check" in sys.argv[1:]:
        if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page():
            return 0
        print("docs/reference/incidents.md is not what the registry says: run scripts/document_incidents.py.")
        return 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
