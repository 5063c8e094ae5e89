"""medvae: fit how scanners differ, then train autoencoders that see through it.

Importing this package loads neither torch nor MONAI; both come with the first use
of :class:`Encoder`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from medvae.version import __version__

if TYPE_CHECKING:
    from medvae.encoding import Encoder, Latent

__all__ = ["Encoder", "Latent", "__version__"]


def __getattr__(name: str) -> object:
    if name in ("Encoder", "Latent"):
        from medvae import encoding

        return getattr(encoding, name)
    raise AttributeError(f"module 'medvae' has no attribute {name!r}")
