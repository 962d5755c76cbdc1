"""Runs the judge: `python -m services.judge --config storex.yaml --listen HOST:PORT --coordinator HOST:PORT ...`."""

from __future__ import annotations

import sys

from libs.rpc.process import run_service
from services.judge.app import build
from services.judge.config import parse_arguments

if __name__ == "__main__":
    sys.exit(run_service("judge", lambda: build(parse_arguments())))
