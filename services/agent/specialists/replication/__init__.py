"""Replicas: whether they run, how far they are behind, and what keeps them so."""
