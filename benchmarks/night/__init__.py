"""`make bench-night`: nightly plans. Each part is a module with `run(options) -> (figures, bars)`, and is listed in
`benchmarks.night.__main__`."""
