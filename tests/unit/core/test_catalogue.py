from __future__ import annotations

import re

import pytest

from libs.core.catalogue import CATALOGUE, ROLES, RootCause
from storex.common.v1 import entity_pb2

TYPES = {name.removeprefix("ENTITY_TYPE_").lower() for name in entity_pb2.EntityType.DESCRIPTOR.values_by_name} - {
    "unspecified"
}


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda entry: entry.id)
def test_entries_use_the_words_of_the_contract(entry: RootCause) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z_]+", entry.id)
    assert entry.entities
    for part in entry.entities:
        assert part.role in ROLES
        assert part.type in TYPES


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda entry: entry.id)
def test_required_evidence_names_entities_of_its_own_entry(entry: RootCause) -> None:
    for evidence in entry.evidence:
        assert evidence.entity is None or evidence.entity in entry.entities


def test_no_id_of_the_contract_is_missing() -> None:
    assert {
        "lock.row_blocker",
        "lock.metadata",
        "query.missing_index",
        "connections.leak",
        "replication.lag",
        "access.auth_failed",
    } <= CATALOGUE.keys()
    assert len(CATALOGUE) == 30
