"""Killing, starving and racing the verbs; see benchmarks/faults.py."""
