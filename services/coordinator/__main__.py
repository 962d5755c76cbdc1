"""Runs the coordinator: `python -m services.coordinator --config storex.yaml --listen HOST:PORT ...`."""

from __future__ import annotations

import sys

from libs.rpc.process import run_service
from services.coordinator.app import build
from services.coordinator.config import parse_arguments

if __name__ == "__main__":
    sys.exit(run_service("coordinator", lambda: build(parse_arguments())))
