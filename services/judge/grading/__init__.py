"""A judging model's view of a report: yes/no questions of a rubric, each answer with its reason and a checked quote.

It is asked about one report at a time and is not told who wrote it, so that neither the place beside another report nor
a name can sway it. What it says is checked in code before it counts, and where it fails there is no score at all.
"""
