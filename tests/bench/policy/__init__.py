"""`make bench BENCH=policy`: decisions, reload and memory at 100,000 rules and 10,000 users.

The baseline of a row is its budget, so that a ratio under 1 keeps the promise. A decision is that of a user through the
agent: two principals. A miss is measured with nothing remembered about the call; the caller may be known.
"""

from __future__ import annotations

import asyncio
import random
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from libs.core.resources import Resource
from libs.policy import PolicySnapshot, ReloadingPolicy
from libs.policy.files import read_folder
from libs.policy.snapshot import build_policy
from tests.bench.policy.fleet import AGENT, PERMISSIONS, USERS, Caller, a_resource, a_user, rule_file
from tests.bench.rows import Row, percentile

Request = tuple[Caller, str, Resource]

PAUSE_SECONDS = 0.002
MISSES, HITS, EXPLAINED, UNKNOWN = 20_000, 2_000, 500, 1_000_000


def run() -> list[Row]:
    """Measure; takes about a minute, most of it for the million unknown callers."""
    contents = {**read_folder(None), "fleet.csv": rule_file(seed=1)}
    started = time.process_time()
    policy = build_policy(contents)
    loading = Row("policy.load_cpu", time.process_time() - started, "s", 3)
    chance = random.Random(2)
    requests = [
        (a_user(chance.randrange(USERS), chance), chance.choice(PERMISSIONS), a_resource(chance)) for _ in range(MISSES)
    ]
    return [
        loading,
        *_decisions(policy, requests),
        _explain(policy, requests[:EXPLAINED]),
        _unknown_callers(policy, requests[0][2]),
        *asyncio.run(_reload(requests[:HITS])),
    ]


def _decisions(policy: PolicySnapshot, requests: Sequence[Request]) -> list[Row]:
    misses = [_microseconds(policy, request) for request in requests]
    hits = [
        min(_microseconds(policy, request) for _ in range(3))
        for request in requests[-HITS:]  # these are remembered still
    ]
    return [
        Row("policy.miss_p50", percentile(misses, 0.5), "µs", 100),
        Row("policy.miss_p99", percentile(misses, 0.99), "µs"),
        Row("policy.hit_p50", percentile(hits, 0.5), "µs", 3),
    ]


def _microseconds(policy: PolicySnapshot, request: Request) -> float:
    user, permission, place = request
    started = time.perf_counter_ns()
    policy.decide((user, AGENT), permission, place)
    return (time.perf_counter_ns() - started) / 1e3


def _explain(policy: PolicySnapshot, requests: Sequence[Request]) -> Row:
    started = time.perf_counter()
    for user, permission, place in requests:
        policy.explain((user, AGENT), permission, place)
    return Row("policy.explain_mean", (time.perf_counter() - started) / len(requests) * 1e6, "µs")


async def _reload(requests: Sequence[Request]) -> list[Row]:
    """Reload everything in a thread, as `watch` does, while calls go on beside it."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "fleet.csv"
        file.write_bytes(rule_file(seed=3))
        policy = ReloadingPolicy(Path(name))
        file.write_bytes(rule_file(seed=4))
        policy.poll()
        started = time.perf_counter()
        loading = asyncio.create_task(asyncio.to_thread(policy.poll))
        waits: list[float] = []
        while not loading.done():
            user, permission, place = requests[len(waits) % len(requests)]
            due = time.perf_counter() + PAUSE_SECONDS
            await asyncio.sleep(PAUSE_SECONDS)
            policy.decide((user, AGENT), permission, place)
            waits.append(time.perf_counter() - due)
        seconds = time.perf_counter() - started
        if not loading.result():
            raise RuntimeError("the reload that was to be measured did not happen")
    return [
        Row("policy.reload", seconds, "s", 3),
        Row("policy.wait_during_reload_p99", percentile(waits, 0.99) * 1e3, "ms"),
        Row("policy.wait_during_reload_longest", max(waits) * 1e3, "ms"),
    ]


def _unknown_callers(policy: PolicySnapshot, place: Resource) -> Row:
    """What a million callers that nobody knows leave in memory, as the growth of the process."""
    before = _resident_bytes()
    for number in range(UNKNOWN):
        policy.decide((Caller(f"user:nobody-{number}", "user", frozenset(), frozenset()),), "fleet.read", place)
    grown = _resident_bytes() - before
    return Row("policy.memory_after_1m_unknown_callers", grown / 2**20, "MiB", 128)


def _resident_bytes() -> int:
    """What the process holds in memory now (Linux: proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
