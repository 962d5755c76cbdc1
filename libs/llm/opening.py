"""Opens the door for a service: over the ledger of its machine, so that everybody's budget counts there only once."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter

from libs.config import ModelsConfig
from libs.core.clock import Clock
from libs.llm import open_model
from libs.llm.budget import DailyBudgets
from libs.llm.door import Door
from libs.llm.ledger import Ledger


def open_door(
    state_dir: Path, models: ModelsConfig, clock: Clock, registry: CollectorRegistry, closing: AsyncExitStack
) -> Door:
    """A door that `closing` closes. Raises OSError for the state directory."""
    ledger = Ledger(state_dir / "agent" / "models.db", clock.now())
    closing.push_async_callback(ledger.close)
    name, text = "storex_model_messages_refused", "Messages to models that were not sent, by what they looked like"
    refused = Counter(name, text, ["kind"], registry=registry)
    budgets = DailyBudgets(models.budgets, ledger, clock, models.currency)
    door = Door(open_model, ledger, budgets, clock, lambda kind: refused.labels(kind).inc())
    closing.push_async_callback(door.close)
    return door
