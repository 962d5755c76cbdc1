"""The loop owns stopping, budgets, deadlines, repetition, output size and cancellation; a reasoner owns none of these.

Whatever a reasoner does, the loop ends with a report: on a spent budget or a failed model the deterministic reasoner
concludes from the evidence in hand, and the report says so.
"""
