"""Who states the facts of a topic. A new topic is a member of `Topic`, and its line here."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from services.agent.report.draft import Topic
from services.agent.report.facts.changes import changes
from services.agent.report.facts.fact import Fact, Seen
from services.agent.report.facts.fleet import availability, versions, worst
from services.agent.report.facts.metrics import metrics
from services.agent.report.facts.owners import owners
from services.agent.report.facts.sessions import sessions
from services.agent.report.facts.statements import statements

FACTS: dict[Topic, Callable[[Seen], list[Fact]]] = {
    Topic.CHANGES: changes,
    Topic.METRICS: metrics,
    Topic.STATEMENTS: statements,
    Topic.OWNERS: owners,
    Topic.VERSIONS: versions,
    Topic.AVAILABILITY: availability,
    Topic.WORST: worst,
    Topic.SESSIONS: sessions,
}


def facts_about(topics: Iterable[Topic], seen: Seen) -> list[tuple[Topic, Fact]]:
    """The facts of these topics, in their order."""
    return [(topic, fact) for topic in dict.fromkeys(topics) for fact in FACTS[topic](seen)]
