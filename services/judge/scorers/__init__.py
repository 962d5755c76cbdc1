"""What a report is measured by: one small pure function a file, and the registry that lists them."""
