"""Parts of benchmarks/corruption.py."""
