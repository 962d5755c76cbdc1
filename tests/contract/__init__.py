"""Tests of the contracts: what every message, field and method must declare."""
