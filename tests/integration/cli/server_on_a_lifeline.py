"""A service as the supervisor starts one: a health service on the address behind `--listen`, quick to be told apart.

`SERVER_FAILS` makes it fail at once; `SERVER_STUBBORN` makes it ignore SIGTERM.
"""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health, health_pb2_grpc


def main() -> None:
    if "SERVER_FAILS" in os.environ:
        sys.exit("it was told to fail")
    if "SERVER_STUBBORN" in os.environ:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server = grpc.server(ThreadPoolExecutor(2))
    servicer = health.HealthServicer()
    servicer.set("", 1)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.add_insecure_port(sys.argv[sys.argv.index("--listen") + 1])
    server.start()
    print("serving", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
