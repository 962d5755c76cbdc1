"""How far each field of a message may travel: its class, the plan compiled from the classes, and paths into answers.

The classes are declared once, in `storex.common.v1` field options. Everything that needs them reads them through this
package: a shard before an answer leaves its region, the agent before a prompt goes to a model, and whoever cites a
value as evidence. What is not declared counts as CUSTOMER.
"""
