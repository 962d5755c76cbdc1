from __future__ import annotations

import json

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from libs.identity.key_sets import parse_key_set


def published(bits: int) -> dict[str, str]:
    document: dict[str, str] = json.loads(
        jwt.algorithms.RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, bits).public_key())
    )
    return document


def test_only_public_strong_asymmetric_signing_keys_are_kept() -> None:
    strong = published(2048)
    keys = [
        strong | {"kid": "kept"},
        strong | {"kid": "for-encryption", "use": "enc"},
        strong | {"kid": "another-algorithm", "alg": "PS256"},
        published(1024) | {"kid": "weak"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "symmetric", "alg": "HS256"},
    ]
    assert set(parse_key_set(json.dumps({"keys": keys}).encode())) == {"kept"}


def test_the_first_key_of_an_id_wins() -> None:
    first, second = published(2048) | {"kid": "same"}, published(2048) | {"kid": "same"}
    key = parse_key_set(json.dumps({"keys": [first, second]}).encode())["same"]
    assert json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.key))["n"] == first["n"]
