"""Mutants, the tests that reach them, and what the tests say; see ../mutants.py."""
