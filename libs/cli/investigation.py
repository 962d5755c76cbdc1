"""Follows an investigation: shows each step as it happens, and returns the report."""

from __future__ import annotations

from libs.cli.failures import CommandError, ExitStatus
from libs.cli.output import Output
from libs.client import StorexClient
from storex.agent.v1.agent_pb2 import AskRequest, AskResponse, Hypothesis, HypothesisState, ToolStatus
from storex.agent.v1.report_pb2 import Report

ASK_SECONDS = 900.0
"""Deadline of a question, in seconds, as long as the front door allows; the agent's own budget ends it sooner."""

_OUTCOMES = {
    ToolStatus.TOOL_STATUS_SUCCESS: ("✓", "green"),
    ToolStatus.TOOL_STATUS_NO_DATA: ("·", "dim"),
    ToolStatus.TOOL_STATUS_ERROR: ("✗", "red"),
    ToolStatus.TOOL_STATUS_DENIED: ("⊘", "yellow"),
}

_MOVES = {
    HypothesisState.HYPOTHESIS_STATE_RAISED: "?",
    HypothesisState.HYPOTHESIS_STATE_STRENGTHENED: "↑",
    HypothesisState.HYPOTHESIS_STATE_WEAKENED: "↓",
    HypothesisState.HYPOTHESIS_STATE_CONFIRMED: "✔",
    HypothesisState.HYPOTHESIS_STATE_DROPPED: "✘",
}


def follow(client: StorexClient, request: AskRequest, output: Output) -> Report:
    """Ask, and show the steps to whoever watches. Raises CallError; CommandError when no report comes."""
    report: Report | None = None
    # A script that reads JSON and keeps standard error for errors is not sent the steps.
    quiet = output.as_json and not output.is_interactive
    for event in client.stream(client.agent.Ask, request, seconds=ASK_SECONDS):
        if event.HasField("report"):
            report = event.report
        elif not quiet:
            show_step(event, output)
    if report is None:
        raise CommandError("The agent ended without a report.", "Ask again.", ExitStatus.UNAVAILABLE)
    return report


def show_step(event: AskResponse, output: Output) -> None:
    """Tell one event in a line."""
    match event.WhichOneof("event"):
        case "plan":
            for step in event.plan.steps:
                output.note(f"  plan  {step}", "dim")
        case "tool_call":
            output.note(f"  →  {event.tool_call.tool} {event.tool_call.arguments}", "cyan")
        case "tool_result":
            result = event.tool_result
            mark, style = _OUTCOMES.get(result.status, ("?", ""))
            took = "known already" if result.reused else f"{result.took_seconds:.2f} s"
            output.note(f"  {mark}  {result.tool}: {result.summary} ({took})", style)
        case "hypothesis":
            guess = event.hypothesis
            output.note(
                f"  {_MOVES.get(guess.state, '?')}  {guess.kind} {_confidence(guess)}: {guess.reason}", "magenta"
            )
        case "notice":
            output.note(f"  !  {event.notice.text}", "yellow")


def _confidence(guess: Hypothesis) -> str:
    if guess.state == HypothesisState.HYPOTHESIS_STATE_DROPPED:
        return "given up"
    if not guess.previous_confidence:
        return f"{guess.confidence:.0%}"
    return f"{guess.previous_confidence:.0%} → {guess.confidence:.0%}"
