"""Damaged files for every reader, by chance and led by coverage; benchmarks/fuzz.py."""
