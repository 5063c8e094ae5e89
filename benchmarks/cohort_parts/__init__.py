"""Parts of benchmarks/cohort_index.py."""
