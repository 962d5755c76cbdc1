"""Tests over real channels and real engines, one service at a time."""
