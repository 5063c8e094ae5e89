"""Parts of benchmarks/encoding.py."""
