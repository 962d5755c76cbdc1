"""From a token to a principal."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt

from libs.core.clock import Clock, SystemClock
from libs.core.errors import Reason, StorexError
from libs.identity.key_sets import ALGORITHMS, FileKeySource, HttpsKeySource, KeySource, parse_key_set
from libs.identity.principal import Principal, principal_from_claims

MAX_TOKEN_LENGTH = 8192
"""Longest token that is looked at, in characters."""
CLOCK_LEEWAY_SECONDS = 30.0
"""How far an issuer's clock may be ahead of ours. The end of a token gets no leeway."""

_MAX_CACHED = 10_000
_UNKNOWN_KEY_RETRY_SECONDS = 10.0

_log = logging.getLogger(__name__)


class TokenVerifier:
    """Verifies tokens of one issuer for one audience; `jwks` is a file or an https address.

    Verified tokens are remembered until they expire or the key set changes. Keys are loaded off the event loop; when
    that fails the last good set stays in force and the log says so.
    """

    def __init__(self, jwks: Path | str, issuer: str, audience: str, clock: Clock | None = None) -> None:
        self._source: KeySource = FileKeySource(jwks) if isinstance(jwks, Path) else HttpsKeySource(jwks)
        self._issuer = issuer
        self._audience = audience
        self._clock = clock or SystemClock()
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._loaded_at: float | None = None
        self._loading = asyncio.Lock()
        self._verified: OrderedDict[str, Principal] = OrderedDict()

    async def verify(self, token: str) -> Principal:
        """The token's principal. Raises StorexError TOKEN_INVALID or TOKEN_EXPIRED."""
        await self._refresh(self._source.refresh_seconds)
        principal = self._verified.get(token)
        if principal is None:
            principal = await self._verify_new(token)
            self._remember(token, principal)
        elif principal.expires_at <= self._clock.now():
            del self._verified[token]
            raise StorexError(Reason.TOKEN_EXPIRED)
        return principal

    async def _verify_new(self, token: str) -> Principal:
        if len(token) > MAX_TOKEN_LENGTH or not token.isascii():
            raise StorexError(Reason.TOKEN_INVALID, detail="too long, or not ASCII")
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                raise StorexError(Reason.TOKEN_INVALID, detail="signature algorithm not accepted")
            key = await self._key(str(header.get("kid", "")))
            claims = self._claims(token, key)
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise StorexError(Reason.TOKEN_INVALID, detail=type(error).__name__) from None
        return principal_from_claims(claims)

    def _claims(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        # The times are checked here and not by the library, because it would read the machine's clock.
        options: Any = {"require": ["exp", "iat", "sub", "iss", "aud"]}
        options |= {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
        claims = jwt.decode(
            token, key, algorithms=[key.algorithm_name], issuer=self._issuer, audience=self._audience, options=options
        )
        now = self._clock.now()
        if float(claims["exp"]) <= now:
            raise StorexError(Reason.TOKEN_EXPIRED)
        if max(float(claims["iat"]), float(claims.get("nbf", 0))) > now + CLOCK_LEEWAY_SECONDS:
            raise StorexError(Reason.TOKEN_INVALID, detail="not valid yet")
        return claims

    async def _key(self, key_id: str) -> jwt.PyJWK:
        if key_id not in self._keys:
            async with self._loading:
                pass  # the set may be on its way: at the first calls, or just after a rotation
        if key_id not in self._keys:
            # A rotated key; an attacker's made-up key id must not make us hammer the issuer.
            await self._refresh(_UNKNOWN_KEY_RETRY_SECONDS)
        if key_id not in self._keys:
            raise StorexError(Reason.TOKEN_INVALID, detail="signed with an unknown key")
        return self._keys[key_id]

    async def _refresh(self, older_than_seconds: float) -> None:
        if not self._is_older(older_than_seconds):
            return
        async with self._loading:
            if not self._is_older(older_than_seconds):
                return
            self._loaded_at = self._clock.monotonic()
            try:
                document = await asyncio.to_thread(self._source.load)
                if document is not None:
                    self._keys = parse_key_set(document)
                    self._verified.clear()
            except (OSError, ValueError) as error:
                _log.error("the key set could not be loaded; the last one stays in force: %s", type(error).__name__)

    def _is_older(self, seconds: float) -> bool:
        return self._loaded_at is None or self._clock.monotonic() - self._loaded_at >= seconds

    def _remember(self, token: str, principal: Principal) -> None:
        self._verified[token] = principal
        if len(self._verified) > _MAX_CACHED:
            self._verified.popitem(last=False)
