"""Runs a shard: `python -m services.shard --config storex.yaml --region REGION --listen HOST:PORT ...`."""

from __future__ import annotations

import sys

from libs.rpc.process import run_service
from services.shard.app import build
from services.shard.config import parse_arguments

if __name__ == "__main__":
    sys.exit(run_service("shard", lambda: build(parse_arguments())))
