"""The error catalogue: every failure that a caller can see, with its gRPC status, its public text and what to do.

Domain code raises `StorexError(Reason.X, detail="for the log only", **metadata)`. `libs.rpc` turns it into a status
with `google.rpc.ErrorInfo`. `detail` may hold driver or model text and is only logged inside the region; the public
message is built from the catalogue and from `metadata`, whose values must be PUBLIC.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum


class StatusCode(IntEnum):
    """The gRPC status codes in use, by their numbers in google.rpc.Code."""

    CANCELLED = 1
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True)
class ErrorSpec:
    """A catalogue entry: status, public text (a format string over the metadata), and seconds until a retry helps."""

    status: StatusCode
    message: str
    retry_seconds: float | None = None


class Reason(Enum):
    """What went wrong; the name is the `reason` in ErrorInfo and never changes."""

    NAME_INVALID = ErrorSpec(
        StatusCode.INVALID_ARGUMENT,
        "Not a resource name. Use regions/REGION or regions/REGION/instances/INSTANCE with lower-case names.",
    )
    WILDCARD_NOT_ALLOWED = ErrorSpec(
        StatusCode.INVALID_ARGUMENT, "This method takes one resource. Use a streaming method for the wildcard '-'."
    )
    REQUEST_INVALID = ErrorSpec(StatusCode.INVALID_ARGUMENT, "The field {field} is not valid: {problem}.")
    REQUEST_MALFORMED = ErrorSpec(
        StatusCode.INVALID_ARGUMENT,
        "The request could not be decoded. Check that client and server use the same protos.",
    )
    REQUEST_TOO_LARGE = ErrorSpec(
        StatusCode.INVALID_ARGUMENT, "The request is larger than {limit_bytes} bytes. Send less at a time."
    )
    PAGE_TOKEN_INVALID = ErrorSpec(
        StatusCode.INVALID_ARGUMENT, "The page token is not one that this method returned. Start again without it."
    )
    TOKEN_MISSING = ErrorSpec(
        StatusCode.UNAUTHENTICATED, "No bearer token was sent. Send `authorization: Bearer TOKEN`."
    )
    TOKEN_INVALID = ErrorSpec(
        StatusCode.UNAUTHENTICATED, "The token is not one that this service trusts. Get a new one from your issuer."
    )
    TOKEN_EXPIRED = ErrorSpec(StatusCode.UNAUTHENTICATED, "The token has expired. Get a new one from your issuer.")
    RPC_NOT_PERMITTED = ErrorSpec(
        StatusCode.PERMISSION_DENIED,
        "You hold no grant for this method. `storex policy explain` shows which rule decides; ask its owner.",
    )
    RESOURCE_NOT_FOUND = ErrorSpec(
        StatusCode.NOT_FOUND, "There is no such resource among those you may see. `storex fleet` lists them."
    )
    SESSION_NOT_FOUND = ErrorSpec(
        StatusCode.NOT_FOUND, "There is no such session among yours. Leave the session id out to start a new one."
    )
    SESSIONS_UNAVAILABLE = ErrorSpec(
        StatusCode.UNAVAILABLE,
        "The agent cannot keep sessions now. Check the disk where it keeps its state; its log says what is wrong.",
        10.0,
    )
    RATE_LIMITED = ErrorSpec(
        StatusCode.RESOURCE_EXHAUSTED, "Too many calls at once. Wait and try again.", retry_seconds=1.0
    )
    SHARD_UNAVAILABLE = ErrorSpec(
        StatusCode.UNAVAILABLE, "The region's shard does not answer. Other regions are not affected; try again.", 2.0
    )
    AGENT_UNAVAILABLE = ErrorSpec(StatusCode.UNAVAILABLE, "The agent service does not answer. Try again.", 2.0)
    SCENARIO_NOT_FOUND = ErrorSpec(
        StatusCode.NOT_FOUND, "There is no such scenario among those you may see. `storex judge scenarios` lists them."
    )
    RUN_NOT_FOUND = ErrorSpec(StatusCode.NOT_FOUND, "There is no such run among yours. `storex judge runs` lists them.")
    RUNS_UNAVAILABLE = ErrorSpec(
        StatusCode.UNAVAILABLE,
        "The judge cannot keep scenarios and runs now. Check the disk where it keeps its state; its log says more.",
        10.0,
    )
    MODEL_LEDGER_UNAVAILABLE = ErrorSpec(
        StatusCode.UNAVAILABLE,
        "Calls to models cannot be written down now, so no answer of theirs is used. Check the disk of the state.",
        10.0,
    )
    JUDGE_UNAVAILABLE = ErrorSpec(StatusCode.UNAVAILABLE, "The judge service does not answer. Try again.", 2.0)
    NOT_READY = ErrorSpec(StatusCode.UNAVAILABLE, "The service is starting or draining. Try again.", 1.0)
    DATABASE_UNREACHABLE = ErrorSpec(
        StatusCode.UNAVAILABLE,
        "The database does not accept connections. Check that it runs, and its host and port in storex.yaml.",
        5.0,
    )
    DATABASE_ACCESS_DENIED = ErrorSpec(
        StatusCode.FAILED_PRECONDITION,
        "The database refused Storex's account. Check its user and password in storex.yaml.",
    )
    DATABASE_PASSWORD_MISSING = ErrorSpec(
        StatusCode.FAILED_PRECONDITION,
        "The password of this database could not be read. Set its variable or file named in storex.yaml, where the"
        " shard runs, and start it again.",
    )
    DATABASE_PRIVILEGE_MISSING = ErrorSpec(
        StatusCode.FAILED_PRECONDITION,
        "Storex's database account lacks a privilege. `storex diag overview` says which; the README lists the GRANTs.",
    )
    DATABASE_TOO_MANY_CONNECTIONS = ErrorSpec(
        StatusCode.UNAVAILABLE,
        "The database has no free connection left for Storex. Free one, or raise its limit.",
        5.0,
    )
    DATABASE_TIMEOUT = ErrorSpec(
        StatusCode.DEADLINE_EXCEEDED, "The database did not answer within the statement's time limit. Try again.", 2.0
    )
    DATABASE_BUSY = ErrorSpec(
        StatusCode.RESOURCE_EXHAUSTED, "Storex's budget of calls to this database is in use. Wait and try again.", 1.0
    )
    DATABASE_CIRCUIT_OPEN = ErrorSpec(
        StatusCode.UNAVAILABLE, "This database has failed repeatedly and is left alone for a while.", 5.0
    )
    DATABASE_UNSUPPORTED = ErrorSpec(
        StatusCode.FAILED_PRECONDITION, "This database's engine or version does not offer that: {feature}."
    )
    DATABASE_ERROR = ErrorSpec(StatusCode.INTERNAL, "The database answered with error {error_code}.")
    METRIC_UNKNOWN = ErrorSpec(
        StatusCode.INVALID_ARGUMENT, "There is no metric of that name.{near} `storex history INSTANCE` lists all."
    )
    STATEMENT_UNKNOWN = ErrorSpec(
        StatusCode.NOT_FOUND,
        "The history of this instance knows no such statement digest; it may have left it. `storex changes`"
        " and `storex diag top_queries` show digests.",
    )
    EXPLAIN_NOT_ALLOWED = ErrorSpec(
        StatusCode.FAILED_PRECONDITION,
        "Statements of this instance may not be explained. Its owner can allow it with `explain: true` in storex.yaml.",
    )
    STATEMENT_NOT_EXPLAINED = ErrorSpec(StatusCode.FAILED_PRECONDITION, "The statement cannot be explained: {problem}.")
    TIME_RANGE_INVALID = ErrorSpec(StatusCode.INVALID_ARGUMENT, "The time range is not valid: {problem}.")
    TIME_OUTSIDE_RETENTION = ErrorSpec(
        StatusCode.OUT_OF_RANGE, "The history of this instance does not reach there: it goes from {oldest} to {newest}."
    )
    STORE_FULL = ErrorSpec(
        StatusCode.RESOURCE_EXHAUSTED,
        "The region's store has no room left: reading goes on, recording does not. Free disk space where it lives.",
        30.0,
    )
    STORE_UNAVAILABLE = ErrorSpec(
        StatusCode.UNAVAILABLE,
        "The region's store cannot be used. Check its disk or its database; the shard's log says what is wrong.",
        10.0,
    )
    NOT_CAPTURED = ErrorSpec(
        StatusCode.FAILED_PRECONDITION,
        "The snapshot does not hold that: {what}. Nothing is made up in its place; ask the live instance without it.",
    )
    SNAPSHOT_READ_ONLY = ErrorSpec(
        StatusCode.FAILED_PRECONDITION, "A snapshot cannot be changed by this call. Leave the snapshot out of it."
    )
    SNAPSHOT_KEY_DESTROYED = ErrorSpec(
        StatusCode.FAILED_PRECONDITION,
        "The key of this snapshot has been destroyed: no copy of it can be read any more. Make a new snapshot.",
    )
    SNAPSHOT_DAMAGED = ErrorSpec(
        StatusCode.FAILED_PRECONDITION,
        "This snapshot is damaged, or has been changed, and is not read. Make a new one.",
    )
    SNAPSHOT_TOO_NEW = ErrorSpec(
        StatusCode.FAILED_PRECONDITION,
        "This snapshot is in format {format}, and this shard reads formats up to {newest}: it was written by a newer"
        " version of Storex. Upgrade the region's shard.",
    )
    SNAPSHOT_TOO_LARGE = ErrorSpec(
        StatusCode.FAILED_PRECONDITION,
        "The snapshot is larger than the {limit_bytes} bytes that one may have, and was not kept.",
    )
    SNAPSHOT_NOT_ENABLED = ErrorSpec(
        StatusCode.FAILED_PRECONDITION,
        "This region's configuration does not let this be done: set `{setting}` for it in storex.yaml.",
    )
    SNAPSHOTS_ENOUGH = ErrorSpec(
        StatusCode.RESOURCE_EXHAUSTED,
        "This region makes at most {most} snapshots in an hour by itself. `storex snapshot create` makes one at once.",
        600.0,
    )
    MODEL_UNAVAILABLE = ErrorSpec(
        StatusCode.UNAVAILABLE, "The model endpoint does not answer. The builtin investigator can be used instead.", 5.0
    )
    DEADLINE_EXCEEDED = ErrorSpec(
        StatusCode.DEADLINE_EXCEEDED, "The call's deadline passed. Try again with a longer one."
    )
    CANCELLED = ErrorSpec(StatusCode.CANCELLED, "The call was cancelled.")
    UNIMPLEMENTED = ErrorSpec(StatusCode.UNIMPLEMENTED, "This server does not offer that method.")
    INTERNAL = ErrorSpec(
        StatusCode.INTERNAL, "Something went wrong inside Storex. Report it with the request id {request_id}."
    )

    @property
    def spec(self) -> ErrorSpec:
        """The catalogue entry."""
        value: ErrorSpec = self.value
        return value


class StorexError(Exception):
    """A failure from the catalogue.

    `detail` is for the region's own log and never leaves; `metadata` values are PUBLIC and travel in ErrorInfo.
    """

    def __init__(
        self, reason: Reason, *, detail: str = "", retry_seconds: float | None = None, **metadata: str
    ) -> None:
        self.reason = reason
        self.detail = detail
        self.metadata = metadata
        self.retry_seconds = retry_seconds if retry_seconds is not None else reason.spec.retry_seconds
        super().__init__(reason.name)

    @property
    def public_message(self) -> str:
        """The catalogue's text with the metadata filled in; a value that is missing shows as `?`."""
        return self.reason.spec.message.format_map(_Missing(self.metadata))


class _Missing(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"
