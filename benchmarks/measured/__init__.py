"""What all benchmarks of speed share: timing in turn, and results files."""
