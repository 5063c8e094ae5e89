"""Corruption models inside the pipelines of MONAI and TorchIO.

``noise_models.adapters.monai.Corruptd`` is a MONAI dictionary transform,
``noise_models.adapters.torchio.RandomCorruption`` a TorchIO transform. Each module
imports its library; the models themselves need neither.
"""
