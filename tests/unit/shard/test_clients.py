from __future__ import annotations

from services.shard.mysql.features import Capabilities
from services.shard.mysql.source import ResultSets
from services.shard.mysql.statements import Statement
from services.shard.sampler.clients import AWAY_SECONDS, Client, KnownClients, clients_of
from tests.unit.shard.recorded import process

WEB = Client("orders_app", "web", "libmariadb 3.3.8", "1.4")
NEWER = Client("orders_app", "web", "libmariadb 3.3.8", "1.5")


def test_clients_are_told_by_account_program_driver_and_version() -> None:
    results = ResultSets(
        Capabilities("MariaDB", "10.11.6", frozenset()),
        {
            Statement.PROCESSES: [process(7), process(8), process(9), process(10, user="system user")],
            Statement.PROGRAMS: [
                {"connection_id": number, "program": name} for number, name in ((7, "web"), (8, "web"), (9, "storex"))
            ],
            Statement.CLIENT_VERSIONS: [
                {"connection_id": number, "attribute": name, "value": value}
                for number in (7, 8)
                for name, value in (
                    ("_client_name", "libmariadb"),
                    ("_client_version", "3.3.8"),
                    ("program_version", "1.4"),
                )
            ],
        },
        {},
    )
    assert clients_of(results) == {WEB}


def test_the_first_look_learns_and_a_new_version_is_a_new_client() -> None:
    known = KnownClients()
    assert list(known.see([WEB], 100.0)) == []
    (change,) = known.see([WEB, NEWER], 160.0)
    assert (change.kind, change.content["version"]) == ("client_new", "1.5")
    assert list(known.see([WEB, NEWER], 170.0)) == []


def test_a_client_that_stays_away_is_gone_once_and_then_new_again() -> None:
    known = KnownClients({WEB: 100.0, NEWER: 100.0})
    assert list(known.see([NEWER], 100.0 + AWAY_SECONDS)) == []
    (gone,) = known.see([NEWER], 101.0 + AWAY_SECONDS)
    assert (gone.kind, gone.content["version"], gone.since) == ("client_gone", "1.4", 100.0)
    (back,) = known.see([NEWER, WEB], 102.0 + AWAY_SECONDS)
    assert back.kind == "client_new"
