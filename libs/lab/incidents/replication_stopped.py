"""Somebody stopped the replica's applier for a moment's work and forgot to start it again."""

from __future__ import annotations

from libs.lab.injection import Injection, Target, wait_until
from libs.lab.replication import replica_status, source_of
from libs.lab.server import take_back


def inject(target: Target) -> Injection:
    """Stop the applier, and wait until the replica says so."""
    source_of(target)
    injection = Injection()
    with injection.undo as undo:
        undo.callback(take_back, target.administrator, "START REPLICA")
        target.administrator.execute("STOP REPLICA SQL_THREAD")
        wait_until(lambda: not replica_status(target.administrator).applier_runs, "replication.stopped")
        injection.undo = undo.pop_all()
    return injection
