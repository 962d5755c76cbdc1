"""Two runs side by side: paired scores, the noise of their repeats, and whether the second may replace the first."""
