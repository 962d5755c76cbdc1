"""Keeps an assessment of every instance current, so that its health is known before anybody asks."""
