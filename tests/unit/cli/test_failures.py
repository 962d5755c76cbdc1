from __future__ import annotations

from libs.cli.failures import ExitStatus, explained
from libs.client import TargetError, UnlistedError


def test_a_name_that_may_be_in_a_region_that_is_out_of_reach_is_worth_another_try() -> None:
    unlisted, missing = explained(UnlistedError("Try again.", [])), explained(TargetError("There is none.", []))
    assert unlisted is not None
    assert missing is not None
    assert (unlisted.status, unlisted.reason) == (ExitStatus.UNAVAILABLE, "UNAVAILABLE")
    assert missing.status is ExitStatus.NOT_FOUND
