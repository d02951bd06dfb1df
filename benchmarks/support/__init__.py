"""What the benchmarks share; none of these is a benchmark."""
