"""Scans to codes and back: the Python interface and whole folders on disk."""

from medvae.encoding.encoder import Encoder
from medvae.encoding.latent import Latent

__all__ = ["Encoder", "Latent"]
