"""Which version of its files a service goes by, and whether newer ones were refused: in its metrics, for everybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

_INFO = "storex_files_in_force"
_PROBLEMS = "storex_files_refused_problems"
_SOURCE = "source"


@dataclass(frozen=True, slots=True)
class InForce:
    """What a service goes by. `source` is policy or egress; `problems` counts what is wrong with newer files.

    While there are problems the version before them is in force.
    """

    source: str
    version: str
    problems: int = 0


def show_in_force(registry: CollectorRegistry, sources: Mapping[str, Callable[[], tuple[str, int]]]) -> None:
    """Show each source's version and number of problems, as they are when the metrics are read.

    The functions are called on the thread that serves the metrics.
    """
    registry.register(_Collector(sources))


def read_in_force(metrics: str) -> list[InForce]:
    """What a service shows, from the text of its metrics. Raises ValueError for what is no such text."""
    versions: dict[str, str] = {}
    problems: dict[str, int] = {}
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if sample.name == _INFO:
                versions[sample.labels[_SOURCE]] = sample.labels["version"]
            elif sample.name == _PROBLEMS:
                problems[sample.labels[_SOURCE]] = int(sample.value)
    return [InForce(source, versions[source], problems.get(source, 0)) for source in sorted(versions)]


class _Collector(Collector):
    def __init__(self, sources: Mapping[str, Callable[[], tuple[str, int]]]) -> None:
        self._sources = dict(sources)

    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily(
            _INFO, "The version of the files that is in force; always 1.", labels=(_SOURCE, "version")
        )
        refused = GaugeMetricFamily(
            _PROBLEMS,
            "What is wrong with newer files, which are not in force for it; 0 if all is well.",
            labels=(_SOURCE,),
        )
        for source, ask in self._sources.items():
            version, problems = ask()
            info.add_metric((source, version), 1)
            refused.add_metric((source,), problems)
        yield info
        yield refused
