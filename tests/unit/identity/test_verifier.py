from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from libs.core.errors import Reason, StorexError
from libs.identity import AUDIENCE, ISSUER, LocalIssuer, TokenVerifier
from libs.identity.verifier import MAX_TOKEN_LENGTH
from tests.unit.identity.conftest import ManualClock


async def refused(verifier: TokenVerifier, token: str) -> Reason:
    with pytest.raises(StorexError) as caught:
        await verifier.verify(token)
    return caught.value.reason


def private_key(issuer: LocalIssuer) -> Any:
    pem = (issuer.jwks_path.parent / "key.pem").read_bytes()
    return serialization.load_pem_private_key(pem, password=None)


def key_id(issuer: LocalIssuer) -> str:
    return str(json.loads(issuer.jwks_path.read_bytes())["keys"][0]["kid"])


@pytest.fixture
def claims(clock: ManualClock) -> dict[str, Any]:
    return {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "user:mallory",
        "kind": "user",
        "iat": clock.now(),
        "exp": clock.now() + 60,
    }


@pytest.fixture
def sign(issuer: LocalIssuer) -> Callable[[dict[str, Any]], str]:
    """Signs any claims with the issuer's real key."""
    key, kid = private_key(issuer), key_id(issuer)
    return lambda content: jwt.encode(content, key, algorithm="EdDSA", headers={"kid": kid})


async def test_a_users_token_names_teams_and_roles(issuer: LocalIssuer, verifier: TokenVerifier) -> None:
    principal = await verifier.verify(issuer.issue_user("alice", ["payments"], ["on-call"], ttl_seconds=60))
    assert principal.subject == "user:alice"
    assert principal.teams == {"payments"}
    assert principal.roles == {"on-call"}


async def test_a_token_ends_on_time_also_when_it_was_seen_before(
    issuer: LocalIssuer, verifier: TokenVerifier, clock: ManualClock
) -> None:
    token = issuer.issue_user("alice", [], [], ttl_seconds=60)
    clock.seconds += 59.9
    await verifier.verify(token)
    clock.seconds += 0.1
    assert await refused(verifier, token) is Reason.TOKEN_EXPIRED
    assert await refused(verifier, token) is Reason.TOKEN_EXPIRED


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "somebody-else"},
        {"aud": "another-service"},
        {"sub": None},
        {"exp": None},
        {"iat": None},
        {"exp": "never"},
        {"nbf": 1_900_000_000},
        {"iat": 1_900_000_000},
        {"sub": "service:coordinator"},
        {"sub": "service:coordinator", "kind": "user"},
        {"kind": "service"},
        {"sub": "root:alice", "kind": "root"},
        {"sub": "user:"},
        {"sub": "user:a\nb"},
        {"sub": "user:" + "a" * 200},
        {"roles": "dba"},
        {"roles": [7]},
        {"teams": {"payments": 1}},
        {"teams": ["payments"] * 300},
    ],
)
async def test_a_genuine_signature_over_wrong_claims_is_refused(
    verifier: TokenVerifier,
    sign: Callable[[dict[str, Any]], str],
    claims: dict[str, Any],
    change: dict[str, Any],
) -> None:
    assert (await verifier.verify(sign(claims))).subject == "user:mallory"
    changed = {key: value for key, value in (claims | change).items() if value is not None}
    assert await refused(verifier, sign(changed)) is Reason.TOKEN_INVALID


async def test_a_foreign_issuers_bare_subject_is_a_person(
    verifier: TokenVerifier, sign: Callable[[dict[str, Any]], str], claims: dict[str, Any]
) -> None:
    del claims["kind"]
    principal = await verifier.verify(sign(claims | {"sub": "coordinator"}))
    assert (principal.subject, principal.kind) == ("user:coordinator", "user")


async def test_unsigned_and_symmetric_tokens_are_refused(
    issuer: LocalIssuer, verifier: TokenVerifier, claims: dict[str, Any]
) -> None:
    public = private_key(issuer).public_key()
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    head = {"kid": key_id(issuer)}
    unsigned = jwt.encode(claims, "", algorithm="none", headers=head)
    confused = jwt.encode(claims, raw, algorithm="HS256", headers=head)
    assert await refused(verifier, unsigned) is Reason.TOKEN_INVALID
    assert await refused(verifier, unsigned.replace("none", "None")) is Reason.TOKEN_INVALID
    assert await refused(verifier, confused) is Reason.TOKEN_INVALID


async def test_a_token_signed_by_another_key_under_the_same_id_is_refused(
    issuer: LocalIssuer, verifier: TokenVerifier, claims: dict[str, Any]
) -> None:
    stranger = ed25519.Ed25519PrivateKey.generate()
    forged = jwt.encode(claims, stranger, algorithm="EdDSA", headers={"kid": key_id(issuer)})
    assert await refused(verifier, forged) is Reason.TOKEN_INVALID


async def test_the_token_cannot_bring_its_own_key(
    issuer: LocalIssuer, verifier: TokenVerifier, claims: dict[str, Any]
) -> None:
    stranger = ed25519.Ed25519PrivateKey.generate()
    jwk = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(stranger.public_key()))
    for kid in (key_id(issuer), "mine"):
        forged = jwt.encode(claims, stranger, algorithm="EdDSA", headers={"kid": kid, "jwk": jwk})
        assert await refused(verifier, forged) is Reason.TOKEN_INVALID


async def test_changed_content_is_refused(issuer: LocalIssuer, verifier: TokenVerifier) -> None:
    head, body, signature = issuer.issue_user("alice", [], ["viewer"]).split(".")
    content = json.loads(base64.urlsafe_b64decode(body + "=="))
    content["roles"] = ["dba"]
    changed = base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()
    assert await refused(verifier, f"{head}.{changed}.{signature}") is Reason.TOKEN_INVALID


@pytest.mark.parametrize(
    "token", ["", ".", "..", "a.b.c", "a" * (MAX_TOKEN_LENGTH + 1), "ключ", "\x00" * 40, "e30.e30."]
)
async def test_what_is_not_a_token_is_refused(verifier: TokenVerifier, token: str) -> None:
    assert await refused(verifier, token) is Reason.TOKEN_INVALID


async def test_calls_that_come_while_the_keys_are_first_loaded_wait_for_them(
    issuer: LocalIssuer, verifier: TokenVerifier
) -> None:
    tokens = [issuer.issue_user(name, ["payments"], ["viewer"]) for name in ("alice", "bob", "carol")]
    principals = await asyncio.gather(*map(verifier.verify, tokens))
    assert [principal.subject for principal in principals] == ["user:alice", "user:bob", "user:carol"]


async def test_rotated_keys_are_picked_up_and_withdrawn_ones_refused(tmp_path: Path, clock: ManualClock) -> None:
    old, new = (LocalIssuer.open(tmp_path / name, clock) for name in ("old", "new"))
    published = tmp_path / "jwks.json"
    published.write_bytes(old.jwks_path.read_bytes())
    verifier = TokenVerifier(published, ISSUER, AUDIENCE, clock)
    kept = old.issue_user("alice", [], [])
    await verifier.verify(kept)

    published.write_bytes(new.jwks_path.read_bytes() + b"\n")
    clock.seconds += 2
    assert (await verifier.verify(new.issue_user("bob", [], []))).subject == "user:bob"
    assert await refused(verifier, kept) is Reason.TOKEN_INVALID


async def test_a_broken_key_file_leaves_the_last_keys_in_force(
    issuer: LocalIssuer, verifier: TokenVerifier, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    await verifier.verify(issuer.issue_user("alice", [], []))
    for content in ("{", '{"keys": 3}', "[]"):
        issuer.jwks_path.write_text(content + " " * len(caplog.records))
        clock.seconds += 2
        await verifier.verify(issuer.issue_user("bob", [], []))
    issuer.jwks_path.unlink()
    clock.seconds += 2
    await verifier.verify(issuer.issue_user("carol", [], []))
    assert len(caplog.records) == 4


async def test_every_accepted_algorithm_verifies(tmp_path: Path, clock: ManualClock, claims: dict[str, Any]) -> None:
    elliptic = ec.generate_private_key(ec.SECP256R1())
    strong = rsa.generate_private_key(65537, 2048)
    weak = rsa.generate_private_key(65537, 1024)
    keys = [
        json.loads(jwt.algorithms.ECAlgorithm.to_jwk(elliptic.public_key())) | {"kid": "ec"},
        json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(strong.public_key())) | {"kid": "rsa"},
        json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(weak.public_key())) | {"kid": "weak"},
        {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "kid": "oct"},
        {"kty": "unheard-of", "kid": "odd"},
        "not even an object",
    ]
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": keys}))
    verifier = TokenVerifier(path, ISSUER, AUDIENCE, clock)
    await verifier.verify(jwt.encode(claims, elliptic, algorithm="ES256", headers={"kid": "ec"}))
    await verifier.verify(jwt.encode(claims, strong, algorithm="RS256", headers={"kid": "rsa"}))
    refusals = [
        jwt.encode(claims, strong, algorithm="PS256", headers={"kid": "rsa"}),
        jwt.encode(claims, strong, algorithm="RS256", headers={"kid": "ec"}),
        jwt.encode(claims, strong, algorithm="RS256", headers={"kid": "weak"}),
        jwt.encode(claims, b"secretsecretsecretsecretsecretse", algorithm="HS256", headers={"kid": "oct"}),
        jwt.encode(claims, elliptic, algorithm="ES256"),
    ]
    for token in refusals:
        assert await refused(verifier, token) is Reason.TOKEN_INVALID


def test_a_key_set_is_never_fetched_in_clear() -> None:
    with pytest.raises(ValueError, match="https"):
        TokenVerifier("http://issuer.example/jwks.json", ISSUER, AUDIENCE)
