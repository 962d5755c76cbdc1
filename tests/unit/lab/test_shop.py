"""The shop's definitions fit what the incidents need of them."""

from __future__ import annotations

import re

import pytest

from libs.core.catalogue import CATALOGUE
from libs.lab.incidents import INCIDENTS
from libs.lab.observers import OBSERVERS
from libs.lab.observers.statements import digest_pattern
from libs.lab.schema import HISTORY_ROWS, HOT_ROWS, Service, Table
from libs.lab.shop import SERVICES
from libs.lab.truth import HEALTHY
from scripts import document_incidents


def _table(service: Service, name: str) -> Table:
    return next(table for table in service.tables if table.name == name)


@pytest.mark.parametrize("service", SERVICES.values(), ids=list(SERVICES))
def test_the_history_is_the_largest_table_and_its_column_has_no_index(service: Service) -> None:
    history = _table(service, service.history.table)
    keys = " ".join(re.findall(r"KEY \w+ \([^)]*\)", history.columns))
    assert history.rows == HISTORY_ROWS == max(table.rows for table in service.tables)
    assert f"{service.history.column} VARCHAR" in history.columns
    assert service.history.column not in keys
    assert f"WHERE {service.history.column} = %s" in service.history.search


@pytest.mark.parametrize("service", SERVICES.values(), ids=list(SERVICES))
def test_the_hot_rows_exist_and_are_changed_by_key(service: Service) -> None:
    hot = _table(service, service.hot.table)
    assert hot.rows >= HOT_ROWS
    assert service.hot.update.startswith(f"UPDATE {hot.name} ")
    assert service.hot.update.endswith("WHERE id = %s")


@pytest.mark.parametrize("service", SERVICES.values(), ids=list(SERVICES))
def test_the_join_follows_an_index_of_the_history(service: Service) -> None:
    history = _table(service, service.history.table)
    assert re.search(rf"KEY {service.history.index} \(", history.columns)
    assert f"JOIN {history.name} " in service.history.join
    assert service.history.join.count("%s") == 1


def test_every_incident_has_its_catalogue_id_or_is_a_control_or_a_mixture() -> None:
    faults = [name for name in INCIDENTS if name.split(".")[0] not in (HEALTHY, "two", "herring")]
    assert set(faults) <= set(CATALOGUE)
    assert set(faults) == set(OBSERVERS)
    assert len([name for name in INCIDENTS if name.startswith(HEALTHY)]) >= 6


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("UPDATE hot SET stock = stock - 1 WHERE id = %s", "UPDATE `hot` SET `stock` = `stock` - ? WHERE `id` = ?"),
        (
            "SELECT COUNT(*) FROM t WHERE a LIKE CONCAT('u', %s, '%%')",
            "SELECT COUNT ( * ) FROM `t` WHERE `a` LIKE CONCAT ( ? )",
        ),
    ],
)
def test_a_statement_is_known_again_in_its_digest(statement: str, text: str) -> None:
    pattern = digest_pattern(statement).replace("%", ".*")
    assert re.fullmatch(pattern, text)
    assert not re.fullmatch(pattern, "DELETE FROM `hot` WHERE `id` = ?")


def test_the_page_of_incidents_is_current() -> None:
    assert document_incidents.PAGE.read_text(encoding="utf-8") == document_incidents.page()
