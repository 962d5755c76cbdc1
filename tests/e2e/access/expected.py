"""What everybody is to see, written down by hand from the policy, the region's own files and the egress file.

Nothing here reads the engine or its files. Where a cell and the mesh differ, one of them is wrong.
"""

from __future__ import annotations

from tests.e2e.access.conftest import Person

INSTANCES = {
    "orders-1": "regions/eu-west-1/instances/orders-1",
    "payments-1": "regions/eu-west-1/instances/payments-1",
    "users-1": "regions/eu-central-1/instances/users-1",
    "payments-2": "regions/eu-central-1/instances/payments-2",
    "orders-2": "regions/us-east-1/instances/orders-2",
}
REGIONS = ("regions/eu-west-1", "regions/eu-central-1", "regions/us-east-1")

PEOPLE = {
    "dba": Person("dora", roles=("dba",)),
    "payments on-call": Person("olaf", teams=("payments",), roles=("on-call",)),
    "orders on-call": Person("oona", teams=("orders",), roles=("on-call",)),
    "payments viewer": Person("vera", teams=("payments",), roles=("viewer",)),
    "orders viewer": Person("vic", teams=("orders",), roles=("viewer",)),
    "both": Person("bo", teams=("orders", "payments"), roles=("on-call",)),
    "auditor by link": Person("erin"),
    "dba but one": Person("mona", roles=("dba",)),
    "ended contractor": Person("carl", teams=("payments",), roles=("contractor",)),
    "viewer of no team": Person("nora", roles=("viewer",)),
    "team without role": Person("tim", teams=("payments",)),
    "role of nobody": Person("rob", teams=("payments",), roles=("DBA", "role:dba", "admin")),
    "dba by agent": Person("dora", roles=("dba",), acting="agent"),
    "on-call by agent": Person("olaf", teams=("payments",), roles=("on-call",), acting="agent"),
    "stranger by agent": Person("carl", roles=("contractor",), acting="agent"),
    "coordinator itself": Person("coordinator", service=True),
}

CELLS = """
                     orders-1  payments-1  users-1  payments-2  orders-2
dba                  clear     clear       clear    clear       clear
payments on-call     -         clear       -        token       -
orders on-call       clear     -           -        -           token
payments viewer      -         token       -        fleet       -
orders viewer        token     -           -        -           drop
both                 clear     clear       -        token       token
auditor by link      -         public      -        public      -
dba but one          clear     clear       -        clear       clear
ended contractor     -         -           -        -           -
viewer of no team    -         -           -        -           -
team without role    -         -           -        -           -
role of nobody       -         -           -        -           -
dba by agent         clear     clear       clear    clear       clear
on-call by agent     -         clear       -        token       -
stranger by agent    -         -           -        -           -
coordinator itself   fleet     fleet       fleet    fleet       fleet
"""
"""`clear`, `token` or `drop`: what becomes of principals; `public`: as token, and without names of tables and columns;
`fleet`: no diagnostics and no history, but that it exists and where; `-`: nothing.
"""

HIDDEN_RPCS = {
    ("orders on-call", "orders-1", "GetInnodbStatus"),
    ("orders viewer", "orders-1", "GetInnodbStatus"),
    ("both", "orders-1", "GetInnodbStatus"),
}
"""Denied by a rule for one RPC."""

MAY_ASK = {
    "dba",
    "payments on-call",
    "orders on-call",
    "payments viewer",
    "orders viewer",
    "both",
    "dba but one",
}

MAY_JUDGE = {"dba", "dba but one"}
"""Who may run evaluations, as far as the front door goes."""

MAY_POST = {"dba", "payments on-call", "orders on-call", "both", "dba but one"}
"""Who may tell a region of events, wherever a cell shows them anything."""

MAY_DO = {
    "events.write": MAY_POST,
    "snapshot.create": MAY_POST,
    "CreateSnapshot": MAY_POST | {"dba by agent", "on-call by agent"},
    "snapshot.read": MAY_POST | {"dba by agent", "on-call by agent"},
    "snapshot.delete": {"dba", "dba but one"},
    "snapshot.export": {"dba", "dba but one"},
    "statements.explain": {"dba", "dba but one", "dba by agent"},
}
"""Who holds a permission that does not come with seeing an instance, or may call one method beyond it."""

ONLY_FLEET = {"coordinator itself"}
"""Who holds nothing but `fleet.read`."""


def cells() -> dict[tuple[str, str], str]:
    """The table above, by person and instance."""
    header, *rows = CELLS.strip().splitlines()
    columns = header.split()
    return {
        (row[:21].strip(), column): cell for row in rows for column, cell in zip(columns, row[21:].split(), strict=True)
    }
