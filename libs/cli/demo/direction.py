"""Directs a stage: starts it, waits for what it tells, gives it directions, and sees that it leaves nothing behind."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from libs.cli.failures import CommandError

STOP_SECONDS = 40.0
"""How long a stage may take to go, in the middle of setting up its databases."""


class Direction:
    """A stage, as the one who directs it sees it; `watch` is called with every event that is not waited for.

    Each of the instances in `replicas_of` gets a replica beside it.
    """

    def __init__(self, watch: Callable[[dict[str, Any]], None], replicas_of: Sequence[str] = ()) -> None:
        self._watch = watch
        self._keeps = False
        self.folder = Path(tempfile.mkdtemp(prefix="storex-demo-"))
        with (self.folder / "stage.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "libs.cli.demo.stage", str(self.folder), *replicas_of],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C is ours to pass on, once
            )

    def wait_for(self, event: str) -> dict[str, Any]:
        """The next event of that name. Raises CommandError when the stage fails or ends before."""
        for line in self._process.stdout or ():
            told: dict[str, Any] = json.loads(line)
            if told["event"] == event:
                return told
            if told["event"] == "failed":
                raise CommandError(told["text"])
            self._watch(told)
        words = self._last_words()
        raise CommandError(f"The demonstration's stage ended unexpectedly. {words}".strip(), "Run it again.")

    def inject(self, incident: str, instance: str) -> dict[str, Any]:
        """Bring an incident about and return its truth: `kind`, `title`, `entities`. Raises CommandError."""
        self._direct({"inject": incident, "instance": instance})
        truth = self.wait_for("injected")
        del truth["event"]
        return truth

    def keep(self) -> None:
        """Let the stage stand after this process has gone. Raises CommandError."""
        self._direct({"keep": True})
        self.wait_for("kept")
        self._keeps = True

    def _direct(self, direction: dict[str, Any]) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(json.dumps(direction) + "\n")
            self._process.stdin.flush()

    def _last_words(self) -> str:
        try:
            lines = (self.folder / "stage.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1] if lines else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        if not self._keeps:
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            shutil.rmtree(self.folder, ignore_errors=True)
        if self._process.stdout is not None:
            self._process.stdout.close()
