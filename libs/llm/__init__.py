"""The one door to any model: what a conversation is, and clients for OpenAI-compatible endpoints.

Nothing outside this package imports a model SDK. Callers hand in messages that are already fit to leave; failures
come back as StorexError MODEL_UNAVAILABLE (the endpoint) or as `NonsenseAnswerError` (what it said).
"""

from libs.llm.conversation import Completion, Message, NonsenseAnswerError, ToolCallRequest, ToolSchema
from libs.llm.endpoint import Endpoint, Model

__all__ = [
    "Completion",
    "Endpoint",
    "Message",
    "Model",
    "NonsenseAnswerError",
    "ToolCallRequest",
    "ToolSchema",
    "open_model",
]


def open_model(endpoint: Endpoint) -> Model:
    """A client of an endpoint; it connects when it is first asked."""
    # Here, because the SDK takes more than a second to import, and most starts need no model.
    from libs.llm.openai_compatible import OpenAICompatibleModel

    return OpenAICompatibleModel(endpoint)
