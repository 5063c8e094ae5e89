"""The parts of benchmarks/mnist.py."""
