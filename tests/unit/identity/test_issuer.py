from __future__ import annotations

import json
import stat
from pathlib import Path

from libs.identity import AUDIENCE, ISSUER, LocalIssuer, TokenVerifier


def test_the_private_key_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    LocalIssuer.open(tmp_path)
    assert stat.S_IMODE((tmp_path / "issuer" / "key.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "issuer").stat().st_mode) == 0o700


def test_the_published_keys_hold_no_private_part_and_no_scratch_file_stays(tmp_path: Path) -> None:
    issuer = LocalIssuer.open(tmp_path)
    (key,) = json.loads(issuer.jwks_path.read_bytes())["keys"]
    assert set(key) == {"crv", "kty", "x", "alg", "use", "kid"}
    assert sorted(path.name for path in issuer.jwks_path.parent.iterdir()) == ["jwks.json", "key.pem"]


async def test_a_second_opening_issues_with_the_same_key(tmp_path: Path) -> None:
    first = LocalIssuer.open(tmp_path)
    verifier = TokenVerifier(first.jwks_path, ISSUER, AUDIENCE)
    await verifier.verify(first.issue_user("alice", [], []))
    principal = await verifier.verify(LocalIssuer.open(tmp_path).issue_service("agent"))
    assert (principal.subject, principal.kind, principal.roles) == ("service:agent", "service", frozenset({"agent"}))


def test_a_key_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    LocalIssuer.open(tmp_path)
    key = tmp_path / "issuer" / "key.pem"
    key.chmod(0o644)
    LocalIssuer.open(tmp_path)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
