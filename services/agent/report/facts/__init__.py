"""What was seen and is no cause: changes, unusual figures, owners, versions, earlier investigations.

One file a topic. Each fact is a sentence that code builds from values of recorded answers, and cites them; what others
may have written freely (notes, statement texts) is never part of one.
"""
