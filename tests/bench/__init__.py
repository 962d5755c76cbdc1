"""The measures of `make bench`, as ratios against a baseline in the same run."""
