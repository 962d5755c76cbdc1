"""A comparison as JUnit XML, for a build server: a suite a family, a case a gating score, and one for soundness."""

from __future__ import annotations

from itertools import groupby
from xml.etree import ElementTree

from libs.cli.judge.tables import agreement_of
from libs.cli.safe_text import visible
from storex.judge.v1.comparison_pb2 import Comparison, Difference


def comparison_junit(comparison: Comparison) -> bytes:
    """The XML document, in UTF-8."""
    root = ElementTree.Element("testsuites", name="storex judge gate")
    gating = [one for one in comparison.differences if one.gates and one.family]
    told = [problem for problem in comparison.problems if not _is_of(problem, gating)]
    sound = _suite(root, "soundness", tests=1, failures=int(bool(told)))
    _case(sound, "soundness", "the runs can be compared", "\n".join(told))
    by_family = sorted(gating, key=lambda one: one.family)
    for family, group in groupby(by_family, key=lambda one: one.family):
        cases = list(group)
        suite = _suite(root, family, tests=len(cases), failures=sum(one.regression for one in cases))
        for one in cases:
            _case(suite, family, one.scorer, _failure(one, comparison))
    if comparison.agreements:
        _agreements(root, comparison)
    for count in ("tests", "failures"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _agreements(root: ElementTree.Element, comparison: Comparison) -> None:
    """A case a judged score: passed where it gates, skipped where it is told only."""
    name = "judging model"
    suite = _suite(root, name, tests=len(comparison.agreements), failures=0)
    suite.set("skipped", str(sum(not one.gates for one in comparison.agreements)))
    for one in comparison.agreements:
        case = ElementTree.SubElement(
            suite, "testcase", classname=name, name=f"{visible(one.scorer)} agrees with people"
        )
        if not one.gates:
            ElementTree.SubElement(case, "skipped", message=visible(agreement_of(one)))
        ElementTree.SubElement(case, "system-out").text = visible(agreement_of(one))
    if comparison.notes:
        ElementTree.SubElement(suite, "system-out").text = visible("\n".join(comparison.notes), newlines=True)


def _is_of(problem: str, differences: list[Difference]) -> bool:
    """Whether a problem tells of a regression, which has a case of its own."""
    return any(one.regression and problem.startswith(f"{one.family}: {one.scorer} ") for one in differences)


def _suite(root: ElementTree.Element, name: str, *, tests: int, failures: int) -> ElementTree.Element:
    return ElementTree.SubElement(root, "testsuite", name=visible(name), tests=str(tests), failures=str(failures))


def _case(suite: ElementTree.Element, family: str, name: str, failure: str) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname=visible(family), name=visible(name))
    if failure:
        found = ElementTree.SubElement(case, "failure", message=visible(failure.splitlines()[0]))
        found.text = visible(failure, newlines=True)


def _failure(one: Difference, comparison: Comparison) -> str:
    if not one.regression:
        return ""
    worse = [
        f"{scenario.scenario_id}: {'; '.join(scenario.reasons)}"
        for scenario in comparison.worse
        if scenario.family == one.family
    ]
    return "\n".join((f"{one.scorer} fell from {one.baseline:.3g} to {one.candidate:.3g}", *worse))
