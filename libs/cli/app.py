"""The command's shape: each command is one function in `libs/cli/commands`, and one line here."""

from __future__ import annotations

import typer

from libs.cli.commands import (
    ask,
    changes,
    demo,
    diag,
    doctor,
    down,
    event,
    fleet,
    health,
    history,
    judge,
    lab,
    models,
    normal,
    policy,
    snapshot,
    status,
    up,
)
from libs.cli.failures import EXIT_STATUS_HELP

app = typer.Typer(
    name="storex",
    help="Ask why a database is slow, and get an answer that is checked against what the database said.",
    epilog=EXIT_STATUS_HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("up")(up.up)
app.command("status")(status.status)
app.command("down")(down.down)
app.command("fleet")(fleet.fleet)
app.command("health")(health.health)
app.command("diag")(diag.diag)
app.command("doctor")(doctor.doctor)
app.command("history")(history.history)
app.command("normal")(normal.normal)
app.command("changes")(changes.changes)
app.command("event")(event.event)
app.command("ask")(ask.ask)
app.command("demo")(demo.demo)
app.add_typer(snapshot.app, name="snapshot")
app.add_typer(lab.app, name="lab")
app.add_typer(models.app, name="models")
app.add_typer(policy.app, name="policy")
app.add_typer(judge.app, name="judge")
