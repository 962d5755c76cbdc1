"""From what a reasoner claims to what is reported: each claim checked against recorded tool output, then written up.

`verifier` decides what stands, `causes/` knows the words and the safe steps for each root cause, `writing` puts the
report together. The text of a report is built from cited values, so that it cannot say what nothing shows.
"""
