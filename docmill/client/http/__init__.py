"""Over HTTP, to `docmill serve`. Only the connections import an HTTP library."""
