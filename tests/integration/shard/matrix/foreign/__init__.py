"""Faults that the lab does not hold: the same causes by other ways, in another schema under other clients."""
