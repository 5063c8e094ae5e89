"""Scans to codes and back: the Python interface and whole folders on disk.

Processes that only read scans import parts of this package, so torch is loaded with
the first use of :class:`Encoder`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medvae.encoding.encoder import Encoder
    from medvae.encoding.latent import Latent

__all__ = ["Encoder", "Latent"]


def __getattr__(name: str) -> object:
    if name == "Encoder":
        from medvae.encoding.encoder import Encoder

        return Encoder
    if name == "Latent":
        from medvae.encoding.latent import Latent

        return Latent
    raise AttributeError(f"module 'medvae.encoding' has no attribute {name!r}")
