"""One module for each format: `read(source, out, context)` tells a Writer what the file holds."""
