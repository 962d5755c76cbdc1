"""The judge service: replays recorded worlds through candidate agents and scores what they report.

It asks the agent as any person does, through the coordinator and with the rights of whoever evaluates. The truth about
a world is kept here and nowhere else, so that no replay can read it.
"""
