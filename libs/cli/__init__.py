"""The `storex` command: runs a mesh on this machine, looks at the fleet, asks questions, and shows the answers.

Every command prints for people on a terminal, plain lines into a pipe, and JSON with `--json`. Results go to standard
output, everything else to standard error. Whatever came out of a database is escaped before it reaches a terminal.
"""
