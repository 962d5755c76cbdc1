"""Who is calling: verified principals, the caller of an RPC, and the local issuer of an embedded mesh.

People and services carry JSON web tokens. `TokenVerifier` is the only way from a token to a `Principal`; everything
behind it may rely on a principal being genuine and in time. Certificates and tickets will join as further verifiers.
"""

from libs.identity.issuer import AUDIENCE, ISSUER, LocalIssuer
from libs.identity.principal import Caller, Principal
from libs.identity.token_source import FileTokenSource, TokenSource
from libs.identity.verifier import TokenVerifier

__all__ = [
    "AUDIENCE",
    "ISSUER",
    "Caller",
    "FileTokenSource",
    "LocalIssuer",
    "Principal",
    "TokenSource",
    "TokenVerifier",
]
