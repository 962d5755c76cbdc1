"""The entry point: runs a command, and turns every failure into a sentence."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence

from libs.cli.app import app
from libs.cli.failures import CommandError, ExitStatus, explained
from libs.cli.output import console_for
from libs.cli.safe_text import plain


def main() -> None:
    """Run `storex` with this process's arguments."""
    sys.exit(run(sys.argv[1:]))


def run(argv: Sequence[str]) -> int:
    """Run `storex` with the given arguments; returns the exit status."""
    try:
        app(args=list(argv), prog_name="storex")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else ExitStatus.SUCCESS
    except KeyboardInterrupt:
        return ExitStatus.INTERRUPTED
    except Exception as error:
        failure = explained(error) or _bug(error)
        _tell(failure, as_json="--json" in argv)
        return failure.status
    return ExitStatus.SUCCESS


def _bug(error: Exception) -> CommandError:
    if os.environ.get("STOREX_DEBUG"):
        traceback.print_exception(error)
    return CommandError(
        f"Something went wrong inside storex ({type(error).__name__}).",
        "Run it again with STOREX_DEBUG=1 and report what it prints.",
    )


def _tell(failure: CommandError, *, as_json: bool) -> None:
    if as_json:
        described = {
            "reason": failure.reason,
            "message": failure.message,
            "remedy": failure.remedy,
            "candidates": failure.candidates,
        }
        print(json.dumps({"error": described}), file=sys.stderr)
        return
    console = console_for(sys.stderr)
    message = plain(failure.message)
    message.stylize("red", 0, len(message))
    console.print(message)
    if failure.candidates:
        console.print(plain(f"Did you mean {' or '.join(failure.candidates)}?"))
    if failure.remedy:
        console.print(plain(failure.remedy))


if __name__ == "__main__":
    main()
