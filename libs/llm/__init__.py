"""The one door to any model: what a conversation is, and clients for OpenAI-compatible endpoints.

Nothing outside this package imports a model SDK, and services reach models through `Door` only. Callers hand in
messages that are already fit to leave; failures come back as StorexError MODEL_UNAVAILABLE (the endpoint), as
`NonsenseAnswerError` (what it said), `BudgetSpentError` (nobody pays), or `OutgoingRefusedError` (not fit to leave).
"""

from libs.llm.conversation import (
    BudgetSpentError,
    Completion,
    Message,
    NonsenseAnswerError,
    OutgoingRefusedError,
    ToolCallRequest,
    ToolSchema,
)
from libs.llm.endpoint import Endpoint, Model

__all__ = [
    "BudgetSpentError",
    "Completion",
    "Endpoint",
    "Message",
    "Model",
    "NonsenseAnswerError",
    "OutgoingRefusedError",
    "ToolCallRequest",
    "ToolSchema",
    "open_model",
]


def open_model(endpoint: Endpoint) -> Model:
    """A client of an endpoint; it connects when it is first asked."""
    # Here, because the SDK takes more than a second to import, and most starts need no model.
    from libs.llm.openai_compatible import OpenAICompatibleModel

    return OpenAICompatibleModel(endpoint)
