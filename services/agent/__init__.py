"""The agent: answers questions about databases, with the rights of the person who asks, in verified reports.

A question becomes an `Inquiry`. A reasoner (`builtin`, or a model) says what to read next; the `loop` reads it through
`tools`, which reach the fleet only through the coordinator; `report` checks every claim against what was recorded
and writes the answer; `sessions` keeps the conversation. Each reasoner, tool, prompt and specialist can be swapped
without touching the others.
"""
