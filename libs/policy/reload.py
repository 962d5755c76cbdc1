"""The policy in force, replaced as a whole when its files change, and kept when they are not right."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from libs.core.clock import Clock, SystemClock
from libs.core.resources import Resource
from libs.policy.decision import Decision, PrincipalLike
from libs.policy.explain import Explanation
from libs.policy.files import ITEMS_A_TURN, PolicyError, Problem, Rule, Signature, read_folder, signature_of
from libs.policy.snapshot import PolicySnapshot, build_policy
from libs.policy.vocabulary import Vocabulary

POLL_SECONDS = 1.0
REMIND_SECONDS = 60.0
"""How often the log repeats that the files are not right and an older version is in force."""

_log = logging.getLogger("storex.policy")


@dataclass(frozen=True, slots=True)
class PolicyState:
    """What is in force: its version, since when (seconds since the epoch), and what is wrong with newer files."""

    version: str
    loaded_at: float
    problems: tuple[Problem, ...] = ()


class ReloadingPolicy:
    """A PolicyEngine over a folder that may change.

    A call is decided by one snapshot from its first rule to its last. `watch` looks for changes; a file that is not
    right leaves the last good version in force, is logged as an error and stands in `state` until it is mended.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        region: str | None = None,
        clock: Clock | None = None,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        """Load the policy. Raises PolicyError: a service does not start on a policy that it cannot read."""
        self._folder = folder
        self._region = region
        self._clock = clock or SystemClock()
        self._vocabulary = vocabulary
        self._reloading = threading.Lock()
        self._signature = signature_of(folder, region)
        self._seen = self._signature
        self._reminded_at = 0.0
        self._snapshot = build_policy(read_folder(folder, region), clock=self._clock, vocabulary=vocabulary)
        self._state = PolicyState(self._snapshot.version, self._clock.now())

    @property
    def snapshot(self) -> PolicySnapshot:
        """The version in force; hold on to it to ask several things of the same version."""
        return self._snapshot

    @property
    def state(self) -> PolicyState:
        """What is in force, and what is wrong with newer files."""
        return self._state

    def in_force(self) -> tuple[str, int]:
        """The version in force, and how much is wrong with newer files."""
        state = self._state
        return state.version, len(state.problems)

    @property
    def version(self) -> str:
        """The version in force."""
        return self._snapshot.version

    def decide(
        self, principals: Sequence[PrincipalLike], permission: str, resource: Resource, *, rpc: str = ""
    ) -> Decision:
        """See PolicyEngine."""
        return self._snapshot.decide(principals, permission, resource, rpc=rpc)

    def permitted_anywhere(
        self, principals: Sequence[PrincipalLike], permission: str, region: str | None = None, *, rpc: str = ""
    ) -> bool:
        """See PolicyEngine."""
        return self._snapshot.permitted_anywhere(principals, permission, region, rpc=rpc)

    def permitted_global(self, principals: Sequence[PrincipalLike], permission: str, *, rpc: str = "") -> bool:
        """See PolicyEngine."""
        return self._snapshot.permitted_global(principals, permission, rpc=rpc)

    def clear_classes(
        self, principals: Sequence[PrincipalLike], resource: Resource, permission: str | None = None, *, rpc: str = ""
    ) -> frozenset[str]:
        """See PolicyEngine."""
        return self._snapshot.clear_classes(principals, resource, permission, rpc=rpc)

    def explain(
        self, principals: Sequence[PrincipalLike], permission: str, resource: Resource, *, rpc: str = ""
    ) -> Explanation:
        """See PolicyEngine."""
        return self._snapshot.explain(principals, permission, resource, rpc=rpc)

    async def watch(self, poll_seconds: float = POLL_SECONDS) -> None:
        """Look for changes until cancelled; the work is done in a thread, so that no call waits for it."""
        while True:
            await asyncio.sleep(poll_seconds)
            await asyncio.to_thread(self.poll)

    def poll(self) -> bool:
        """Load the files if they changed and have since held still; whether a new version came into force.

        A change is taken at the second look that finds it the same: files that are still being written are not read.
        """
        with self._reloading:
            signature = signature_of(self._folder, self._region)
            settled, self._seen = signature == self._seen, signature
            if signature == self._signature or not settled:
                self._remind()
                return False
            return self._load(signature)

    def _load(self, signature: Signature) -> bool:
        try:
            contents = read_folder(self._folder, self._region)
            if signature_of(self._folder, self._region) != signature:
                return False
            snapshot = build_policy(contents, clock=self._clock, vocabulary=self._vocabulary)
        except PolicyError as error:
            self._signature = signature
            self._state = PolicyState(self.version, self._state.loaded_at, error.problems)
            self._shout()
            return False
        self._signature = signature
        changed = snapshot.version != self.version
        if changed:
            _log.info("policy %s replaces %s", snapshot.version, self.version)
            leaving = list(self._snapshot.text.rules)
            self._snapshot = snapshot
            _let_go(leaving)
        self._state = PolicyState(snapshot.version, self._clock.now())
        return changed

    def _remind(self) -> None:
        if self._state.problems and self._clock.monotonic() >= self._reminded_at + REMIND_SECONDS:
            self._shout()

    def _shout(self) -> None:
        self._reminded_at = self._clock.monotonic()
        problems = self._state.problems
        _log.error(
            "policy files are not right; version %s stays in force. %d problems, the first: %s",
            self.version,
            len(problems),
            problems[0],
        )


def _let_go(rules: list[Rule]) -> None:
    """Free the rules of a policy that was replaced a few at a time: freed at once they would hold up every call."""
    while rules:
        del rules[-ITEMS_A_TURN:]
        time.sleep(0)
