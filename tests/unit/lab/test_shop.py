"""The shop's definitions fit what the incidents need of them."""

from __future__ import annotations

import re

import pytest

from libs.core.catalogue import CATALOGUE
from libs.lab.incidents import INCIDENTS
from libs.lab.schema import HISTORY_ROWS, HOT_ROWS, Service, Table
from libs.lab.shop import SERVICES
from libs.lab.truth import HEALTHY


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


def test_incidents_are_called_by_their_catalogue_ids() -> None:
    assert set(INCIDENTS) - {HEALTHY} <= set(CATALOGUE)
