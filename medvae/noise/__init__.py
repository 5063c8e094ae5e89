"""Corruption models at work on scans: finding one, fitting one, applying one.

The models themselves are the package ``noise_models``, which knows nothing of medvae.
"""
