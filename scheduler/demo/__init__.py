"""What `docmill demo` shows."""
