"""Answers about the past of one instance: metrics over time, what is normal, what changed, and posted deployments.

Reads what the sampler recorded, through the region's archive; never a database.
"""
