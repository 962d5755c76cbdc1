"""Scenarios in a folder with their worlds beside them: from a lab into a folder, and from there into any lab's mesh."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from libs.cli.failures import ExitStatus
from libs.cli.judge.folders import write_scenario
from libs.cli.session import Place
from libs.client import CallError
from libs.lab.incidents import INCIDENTS
from services.shard.worlds.encoding import decode
from services.shard.worlds.plain import plain
from services.shard.worlds.sealing import parts_of, unseal
from tests.e2e.command import until
from tests.e2e.judge.conftest import PAYMENTS, JudgeMesh

pytestmark = [pytest.mark.engine, pytest.mark.slow]


@contextmanager
def no_lab(judged: JudgeMesh, region: str) -> Iterator[None]:
    """While the block lasts, the region's data is somebody's."""
    path = judged.folder / "storex.yaml"
    before = path.read_text()
    document = yaml.safe_load(before)
    document["regions"][region]["lab"] = False
    path.write_text(yaml.safe_dump(document))
    try:
        yield
    finally:
        path.write_text(before)


def export(judged: JudgeMesh, name: str, target: Path, *options: str) -> tuple[int, str]:
    done = judged.storex.run("snapshot", "export", name, "-o", str(target), *options)
    return done.status, done.stderr


def test_there_and_back_again(judged: JudgeMesh, tmp_path: Path) -> None:
    folder = tmp_path / "scenarios"
    with judged.client() as client:
        for incident in ("lock.row_blocker", "query.missing_index"):
            scenario = judged.scenario(incident, f"kept-{incident}")
            write_scenario(client, Place(judged.state_dir, None), scenario, folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "kept-lock.row_blocker.world",
        "kept-lock.row_blocker.yaml",
        "kept-query.missing_index.world",
        "kept-query.missing_index.yaml",
    ]
    unnamed = judged.storex.run("judge", "add", str(folder))
    assert unnamed.status == ExitStatus.USAGE
    assert "--instance" in unnamed.stderr

    added = judged.storex.json("judge", "add", str(folder), "--instance", "users-1")["scenarios"]
    assert {one["world"].partition("/snapshots/")[0] for one in added} == {"regions/eu-central-1/instances/users-1"}
    run = judged.run([one["scenario_id"] for one in added], user="ursula")
    scores = {score.scorer: score.value for outcome in run.outcomes for score in outcome.scores}
    assert (len(run.outcomes), scores["cause_set"], scores["entities_by_role"]) == (2, 1, 1)
    with judged.client() as client:  # what was added can be written again, and is the same
        kept = judged.scenario("lock.row_blocker", "kept-lock.row_blocker", added[0]["world"])
        path = write_scenario(client, Place(judged.state_dir, None), kept, tmp_path / "again")
    assert path.read_text() == (folder / path.name).read_text()


def test_worlds_of_production_stay_in_their_region(judged: JudgeMesh, tmp_path: Path) -> None:
    world, _ = judged.truths["lock.row_blocker"]
    of_a_lab, sealed = tmp_path / "lab.world", tmp_path / "sealed.world"
    assert export(judged, world, of_a_lab, "--plain")[0] == 0
    with no_lab(judged, "eu-west-1"):
        until(lambda: export(judged, world, tmp_path / "early.world", "--plain")[0] == ExitStatus.FAILED)
        assert "lab: true" in export(judged, world, tmp_path / "no.world", "--plain")[1]
        assert not (tmp_path / "no.world").exists()
        scenario = judged.scenario("lock.row_blocker", "no")
        with judged.client() as client, pytest.raises(CallError, match="lab: true"):
            write_scenario(client, Place(judged.state_dir, None), scenario, tmp_path / "folder")
        brought = judged.storex.run("snapshot", "import", PAYMENTS, str(of_a_lab))
        assert brought.status == ExitStatus.FAILED, "nobody's data is taken for somebody's"
        # A sealed copy is for the region alone: its key is there, and only its own instance takes it.
        assert export(judged, world, sealed)[0] == 0
        assert judged.storex.run("snapshot", "import", "users-1", str(sealed)).status != 0
    for person in ("paula", "oncall", "viewer"):
        done = judged.storex.run("snapshot", "export", world, "-o", str(tmp_path / "mine"), "--as", person)
        assert done.status == ExitStatus.DENIED, person
    until(lambda: export(judged, world, tmp_path / "yes.world", "--plain")[0] == 0)


def test_an_incident_becomes_a_scenario_by_one_command_and_does_not_tell_what_it_is(
    judged: JudgeMesh, tmp_path: Path
) -> None:
    done = judged.storex.run_alone("judge", "record", "lock.metadata", "healthy", "--to", str(tmp_path))
    assert done.status == 0, done.stderr
    files = sorted(tmp_path.glob("*.yaml"))
    assert sorted(done.stdout.split()) == [str(path) for path in files]
    assert {yaml.safe_load(path.read_text())["family"] for path in files if "healthy" in path.name} == {"healthy"}
    for path in tmp_path.glob("*.world"):
        told = str(plain(decode(unseal(parts_of(path.read_bytes()), None)).instances))
        assert "performance_schema" in told, "the world is searched"
        for incident in INCIDENTS:
            assert incident not in told
            assert incident.replace(".", "-").replace("_", "-") not in told or incident == "healthy"
    added = judged.storex.json("judge", "add", str(tmp_path), "--instance", PAYMENTS)["scenarios"]
    run = judged.run([one["scenario_id"] for one in added])
    assert {score.value for outcome in run.outcomes for score in outcome.scores if score.scorer == "cause_set"} == {1}
