"""The step that every answer passes before it leaves a region."""
