"""Policy that changes while it is in force."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from pathlib import Path

import pytest

from libs.policy import PolicyError, ReloadingPolicy
from libs.policy.reload import REMIND_SECONDS
from tests.bench.policy.fleet import rule_file
from tests.unit.policy.people import ORDERS, FixedClock, user

GRANT = "p, user:eve, *, fleet.read, schema, never, allow\n"
EVE = [user("eve")]


def settle(policy: ReloadingPolicy) -> bool:
    """Look twice: a change is taken once it holds still."""
    policy.poll()
    return policy.poll()


def test_a_change_comes_into_force_as_a_whole_and_under_a_new_version(tmp_path: Path) -> None:
    policy = ReloadingPolicy(tmp_path)
    before, held = policy.version, policy.snapshot
    assert not policy.decide(EVE, "fleet.read", ORDERS).allowed
    (tmp_path / "more.csv").write_text(GRANT)
    assert settle(policy)
    assert policy.version != before == held.version
    assert policy.decide(EVE, "fleet.read", ORDERS).allowed
    assert not held.decide(EVE, "fleet.read", ORDERS).allowed
    (tmp_path / "more.csv").unlink()
    assert settle(policy)
    assert policy.version == before
    assert not policy.decide(EVE, "fleet.read", ORDERS).allowed


def test_a_file_that_is_still_being_written_is_not_read(tmp_path: Path) -> None:
    policy = ReloadingPolicy(tmp_path)
    for length in range(1, 4):
        (tmp_path / "more.csv").write_text(GRANT * length)
        assert not policy.poll()
    assert policy.poll()


def test_a_bad_file_leaves_the_last_good_version_in_force_loudly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "more.csv").write_text(GRANT)
    clock = FixedClock()
    policy = ReloadingPolicy(tmp_path, clock=clock)
    good = policy.version
    (tmp_path / "more.csv").write_text("p, user:eve, *\n")
    with caplog.at_level(logging.ERROR, "storex.policy"):
        assert not settle(policy)
    assert policy.version == good
    assert policy.decide(EVE, "fleet.read", ORDERS).allowed
    assert str(policy.state.problems[0]).startswith("more.csv:1: a rule has 6 columns")
    assert len(caplog.records) == 1
    assert good in caplog.text
    assert "more.csv:1" in caplog.text
    policy.poll()
    assert len(caplog.records) == 1
    clock.seconds += REMIND_SECONDS
    policy.poll()
    assert len(caplog.records) == 2
    (tmp_path / "more.csv").write_text("# nobody else\n")
    assert settle(policy)
    assert policy.state.problems == ()
    assert not policy.decide(EVE, "fleet.read", ORDERS).allowed


def test_a_folder_that_disappears_leaves_the_last_good_version_in_force(tmp_path: Path) -> None:
    folder = tmp_path / "policy"
    folder.mkdir()
    (folder / "more.csv").write_text(GRANT)
    policy = ReloadingPolicy(folder)
    (folder / "more.csv").unlink()
    folder.rmdir()
    assert not settle(policy)
    assert policy.decide(EVE, "fleet.read", ORDERS).allowed
    assert "cannot be read" in policy.state.problems[0].message


def test_a_service_does_not_start_on_a_policy_that_is_not_right(tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text("nonsense\n")
    with pytest.raises(PolicyError):
        ReloadingPolicy(tmp_path)


def test_what_a_region_denies_is_reloaded_too(tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text(GRANT)
    own = tmp_path / "regions" / "eu-west-1"
    policy, elsewhere = ReloadingPolicy(tmp_path, region="eu-west-1"), ReloadingPolicy(tmp_path, region="us-east-1")
    own.mkdir(parents=True)
    (own / "lock.csv").write_text("p, *, *, *, public, never, deny\n")
    assert settle(policy)
    assert not settle(elsewhere)
    assert not policy.decide(EVE, "fleet.read", ORDERS).allowed
    assert elsewhere.decide(EVE, "fleet.read", ORDERS).allowed


async def test_watching_takes_changes_until_it_is_cancelled(tmp_path: Path) -> None:
    policy = ReloadingPolicy(tmp_path)
    watching = asyncio.create_task(policy.watch(poll_seconds=0.01))
    (tmp_path / "more.csv").write_text(GRANT)
    for _ in range(1_000):
        await asyncio.sleep(0.01)
        if policy.decide(EVE, "fleet.read", ORDERS).allowed:
            break
    else:
        pytest.fail("the change did not come into force within ten seconds")
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching


def test_a_large_policy_is_replaced_while_calls_go_on(tmp_path: Path) -> None:
    file = tmp_path / "fleet.csv"
    file.write_bytes(rule_file(seed=1, rules=10_000))
    policy = ReloadingPolicy(tmp_path)
    first = policy.version
    file.write_bytes(rule_file(seed=2, rules=10_000))
    policy.poll()
    reloading = threading.Thread(target=policy.poll)
    reloading.start()
    answers = []
    while reloading.is_alive():
        answers.append(policy.decide(EVE, "fleet.read", ORDERS).allowed)
    reloading.join()
    assert policy.version != first
    assert len(answers) > 100
    assert not any(answers)
    assert gc.isenabled()
