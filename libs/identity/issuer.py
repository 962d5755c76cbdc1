"""The issuer of an embedded mesh: one key in the state directory, for laptops, tests and demonstrations."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Collection
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from libs.core.clock import Clock, SystemClock

ISSUER = "storex-local"
"""The `iss` claim of local tokens."""
AUDIENCE = "storex"
"""The `aud` claim that every service of the mesh asks for."""


class LocalIssuer:
    """Issues tokens with an Ed25519 key that never leaves the state directory."""

    def __init__(self, key: Ed25519PrivateKey, jwks_path: Path, clock: Clock | None = None) -> None:
        self._key = key
        self._clock = clock or SystemClock()
        self._key_id = _thumbprint(key)
        self.jwks_path = jwks_path
        """The public key set that verifiers read."""

    @classmethod
    def open(cls, state_dir: Path, clock: Clock | None = None) -> LocalIssuer:
        """Open the issuer of a state directory; its key and `jwks.json` are made on first use. Raises OSError."""
        folder = state_dir / "issuer"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = _open_key(folder / "key.pem")
        issuer = cls(key, folder / "jwks.json", clock)
        issuer._publish()
        return issuer

    def issue_user(self, name: str, teams: Collection[str], roles: Collection[str], ttl_seconds: float = 3600) -> str:
        """A token for a person."""
        return self._sign(f"user:{name}", "user", teams, roles, ttl_seconds)

    def issue_service(self, name: str, ttl_seconds: float = 900) -> str:
        """A token for a service, whose one role is its name."""
        return self._sign(f"service:{name}", "service", (), (name,), ttl_seconds)

    def _sign(self, subject: str, kind: str, teams: Collection[str], roles: Collection[str], ttl_seconds: float) -> str:
        now = self._clock.now()
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "kind": kind,
            "teams": sorted(teams),
            "roles": sorted(roles),
            "iat": int(now),
            "exp": now + ttl_seconds,
            "jti": secrets.token_hex(8),
        }
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": self._key_id})

    def _publish(self) -> None:
        document = json.dumps({"keys": [_public_jwk(self._key) | {"kid": self._key_id}]}, indent=2).encode()
        if not self.jwks_path.is_file() or self.jwks_path.read_bytes() != document:
            scratch = _write_private(self.jwks_path, document)
            scratch.replace(self.jwks_path)


def _open_key(path: Path) -> Ed25519PrivateKey:
    if not path.is_file():
        scratch = _write_private(path, _pem(Ed25519PrivateKey.generate()))
        try:
            # A link, unlike a rename, never replaces the key that another process made in the meantime.
            path.hardlink_to(scratch)
        except FileExistsError:
            pass
        finally:
            scratch.unlink()
    path.chmod(0o600)
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise OSError(f"{path} does not hold an Ed25519 key; remove it and a new one is made")
    return key


def _write_private(beside: Path, content: bytes) -> Path:
    scratch = beside.with_name(f".{beside.name}.{secrets.token_hex(4)}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return scratch


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public_jwk(key: Ed25519PrivateKey) -> dict[str, str]:
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return {"crv": "Ed25519", "kty": "OKP", "x": _base64url(public), "alg": "EdDSA", "use": "sig"}


def _thumbprint(key: Ed25519PrivateKey) -> str:
    """The key id, as RFC 7638 and RFC 8037 define it."""
    members = {name: value for name, value in _public_jwk(key).items() if name in ("crv", "kty", "x")}
    canonical = json.dumps(members, separators=(",", ":"), sort_keys=True)
    return _base64url(hashlib.sha256(canonical.encode()).digest())


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
