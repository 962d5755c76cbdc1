from __future__ import annotations

import string

import pytest

from libs.core.errors import Reason, StorexError


@pytest.mark.parametrize("reason", list(Reason))
def test_every_message_is_a_sentence_that_fits_a_terminal(reason: Reason) -> None:
    assert reason.spec.message.endswith(".")
    assert 20 <= len(reason.spec.message) <= 160


def test_no_two_reasons_share_an_entry() -> None:
    assert len({reason.name for reason in Reason}) == len(Reason.__members__)


@pytest.mark.parametrize("reason", list(Reason))
def test_the_detail_never_shows_in_the_public_message(reason: Reason) -> None:
    fields = {field for _, field, _, _ in string.Formatter().parse(reason.spec.message) if field}
    metadata = dict.fromkeys(fields, "value")
    error = StorexError(reason, detail="s3cret-from-the-driver")
    error.metadata.update(metadata)
    assert "s3cret" not in error.public_message + str(error)
    assert "?" not in error.public_message.replace("???", "")


def test_missing_metadata_shows_as_a_question_mark() -> None:
    assert StorexError(Reason.DATABASE_ERROR).public_message == "The database answered with error ?."
