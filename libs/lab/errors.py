"""What can go wrong in the lab; each message says what to do."""


class LabError(Exception):
    """Something in the lab failed."""


class EngineError(LabError):
    """No engine, or one that does not start."""


class IncidentError(LabError):
    """An incident is not known, or did not come about on the server."""
