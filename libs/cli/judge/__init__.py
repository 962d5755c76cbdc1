"""What the `storex judge` commands read and write: candidates and scenarios as YAML, comparisons as tables, Markdown
and JUnit XML."""
