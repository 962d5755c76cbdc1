"""`storex lab`: incidents to practise on, brought about on a server of your own."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from libs.cli.failures import CommandError, ExitStatus
from libs.cli.output import Output, table_of
from libs.cli.session import JsonOption
from libs.cli.times import parse_span

app = typer.Typer(help="Bring real incidents about, to practise on.", no_args_is_help=True)


@app.command("list")
def list_incidents(as_json: JsonOption = False) -> None:
    """List the incidents that there are."""
    from libs.lab.incidents import INCIDENTS

    output = Output(as_json=as_json)
    if as_json:
        output.json({"incidents": [{"id": entry.id, "title": entry.title} for entry in INCIDENTS.values()]})
    else:
        output.show(table_of(("incident", "what happens"), [(entry.id, entry.title) for entry in INCIDENTS.values()]))


@app.command("run")
def run_incident(
    incident: Annotated[str, typer.Argument(help="One of `storex lab list`.")],
    host: Annotated[str, typer.Option("--host", help="The server.")],
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 3306,
    user: Annotated[str, typer.Option("--user", help="An account that may create a database.")] = "root",
    password_env: Annotated[str, typer.Option("--password-env", help="The variable that holds its password.")] = "",
    password_file: Annotated[Path | None, typer.Option("--password-file", help="Or the file that does.")] = None,
    database: Annotated[str, typer.Option("--database", help="The database to make and drop again.")] = "storex_lab",
    span: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="End by itself after this long.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Bring an incident about on a server, in a database of its own, until Ctrl-C. Not for production."""
    from libs.lab.errors import LabError
    from libs.lab.run import run

    seconds = parse_span(span).total_seconds() if span is not None else None
    password = _password(password_env, password_file)
    output = Output(as_json=as_json)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with run(incident, host=host, port=port, user=user, password=password, database=database) as running:
            truth = [{"role": role, "type": type_, "value": value} for role, type_, value in running.truth.entities]
            if as_json:
                output.line({"incident": running.id, "title": running.title, "entities": truth})
            else:
                output.note(f"{running.title}.", "yellow")
                for entity in truth:
                    output.note(f"  {entity['role']} {entity['type']} {entity['value']}")
                output.note("Ctrl-C ends it and drops the database.")
            stop.wait(seconds)
    except LabError as error:
        raise CommandError(str(error)) from error
    output.note("Ended.")


def _password(variable: str, file: Path | None) -> str:
    if variable:
        if variable not in os.environ:
            raise CommandError(
                f"The variable {variable} is not set.", "Set it, or use --password-file.", ExitStatus.USAGE
            )
        return os.environ[variable]
    return file.read_text(encoding="utf-8").rstrip("\r\n") if file is not None else ""
