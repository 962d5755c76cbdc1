"""Hypothesis keeps no database in the checkout, and a busy machine is no failure."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("storex", deadline=None, database=None)
settings.load_profile("storex")
