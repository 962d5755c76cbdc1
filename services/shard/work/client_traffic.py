"""What clients did over the samples, as rates now and before: for the collector of traffic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from libs.core.clock import Clock
from services.shard.sampler.history import NO_WORK, ClientSample, ClientWork, History, Owner
from services.shard.sampler.sampler import OWN_PROGRAM
from services.shard.view import timestamp
from services.shard.work.rate_changes import mean_rate, pieces_of, rate_step
from storex.diagnostics.v1 import traffic_pb2

DEFAULT_WINDOW = 10.0
"""The span that "now" stands for when none is asked for, in seconds."""
MUCH_MORE = 3.0
"""A rate that is so many times what it was has grown, rather than swung."""

Figure = Callable[[ClientWork], float]
"""What is counted."""


@dataclass(frozen=True, slots=True)
class Around:
    """Rates a second before and after a moment, of several clients together, and of each."""

    before: ClientWork
    after: ClientWork
    by_owner: Mapping[Owner, tuple[ClientWork, ClientWork]]


@dataclass(frozen=True, slots=True)
class Traffic:
    """The samples of all clients but Storex; times in seconds of the monotonic clock."""

    samples: Sequence[ClientSample]
    owners: frozenset[Owner]
    own: frozenset[Owner]
    window: float
    """The span that "now" stands for; 0 where there are too few samples."""
    epoch: float
    """What the monotonic clock's zero is, in seconds since the epoch."""

    @property
    def counted(self) -> bool:
        """Whether the engine counted, rather than the sampler estimated."""
        return bool(self.samples) and self.samples[-1].counted

    @property
    def watched(self) -> float:
        """The span of the samples."""
        return round(self.samples[-1].at - self.samples[0].at, 3) if self.samples else 0.0

    @property
    def at_start(self) -> ClientSample:
        """The newest sample at or before the window's start, or the oldest there is."""
        start = self.samples[-1].at - self.window
        return next((sample for sample in reversed(self.samples) if sample.at <= start), self.samples[0])

    def around(self, at: float, owners: frozenset[Owner]) -> Around:
        """The mean rates of these clients before and after a moment."""
        if len(self.samples) < 2:
            return Around(NO_WORK, NO_WORK, {})
        first, last = self.samples[0], self.samples[-1]
        middle = next((sample for sample in self.samples if sample.at >= at), last)
        by_owner = {owner: (_mean(first, middle, owner), _mean(middle, last, owner)) for owner in owners}
        before, after = NO_WORK, NO_WORK
        for then, now in by_owner.values():
            before, after = before + then, after + now
        return Around(before, after, by_owner)


def _mean(start: ClientSample, end: ClientSample, owner: Owner) -> ClientWork:
    seconds = end.at - start.at
    if seconds <= 0.0:
        return NO_WORK
    then, now = start.work.get(owner, NO_WORK), end.work.get(owner, NO_WORK)
    return ClientWork(
        round((now.statements - then.statements) / seconds, 3),
        round((now.failed - then.failed) / seconds, 3),
        round((now.connects - then.connects) / seconds, 3),
    )


def samples_of(history: History, clock: Clock, window: float) -> Traffic:
    """The samples there are, and how much of the window they cover."""
    samples = tuple(history.clients)
    known = frozenset(samples[-1].work) if samples else frozenset()
    own_accounts = {owner[:2] for owner in known if owner[2] == OWN_PROGRAM}
    shared = {owner[:2] for owner in known if owner[2] not in (OWN_PROGRAM, "")}
    own = frozenset(
        owner
        for owner in known
        # What an account that only Storex uses did between two looks is Storex's too.
        if owner[2] == OWN_PROGRAM or (not owner[2] and owner[:2] in own_accounts and owner[:2] not in shared)
    )
    span = samples[-1].at - samples[0].at if samples else 0.0
    return Traffic(samples, known - own, own, round(min(window, span), 3), clock.now() - clock.monotonic())


def statements_of(work: ClientWork) -> float:
    """The statements, as a figure."""
    return work.statements


def rate_change(traffic: Traffic, owners: frozenset[Owner], figure: Figure = statements_of) -> traffic_pb2.RateChange:
    """How often these clients do it now, and how often they did before the rate changed most."""
    if len(owners) == 1:  # most clients have one host, and there are many of them
        [owner] = owners
        counts = [(sample.at, figure(sample.work.get(owner, NO_WORK))) for sample in traffic.samples]
    else:
        counts = [
            (sample.at, sum(figure(sample.work[owner]) for owner in owners if owner in sample.work))
            for sample in traffic.samples
        ]
    return rate_change_of(counts, traffic.window, traffic.epoch)


def rate_change_of(counts: Sequence[tuple[float, float]], window: float, epoch: float) -> traffic_pb2.RateChange:
    """The same of any counter; `epoch` is what the zero of its times is, in seconds since the epoch."""
    if len(counts) < 2:
        return traffic_pb2.RateChange()
    step = rate_step(pieces_of(counts))
    end = counts[-1][0]
    if step is None:
        return traffic_pb2.RateChange(per_second=round(mean_rate(counts, end - window), 3))
    now = mean_rate(counts, max(step.at, end - window))
    return traffic_pb2.RateChange(
        per_second=round(now, 3),
        earlier_per_second=round(step.before, 3),
        increase_per_second=round(now - step.before, 3),
        factor=round(now / step.before, 2) if step.before > 0.0 else 0.0,
        changed_at=timestamp(epoch + step.at),
        earlier_seconds=round(step.before_seconds, 3),
        lasted_seconds=round(end - step.at, 3),
    )


def changed(traffic: Traffic, change: traffic_pb2.RateChange) -> float:
    """When a rate changed, in seconds of the monotonic clock; the newest sample where that is not known."""
    if not change.HasField("changed_at"):
        return traffic.samples[-1].at if traffic.samples else 0.0
    return change.changed_at.ToNanoseconds() / 1e9 - traffic.epoch


def is_much_more(change: traffic_pb2.RateChange) -> bool:
    """Whether a rate has grown, rather than swung."""
    return change.per_second > 0.0 and change.per_second >= MUCH_MORE * change.earlier_per_second
