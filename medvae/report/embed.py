"""Pictures as text inside a page."""

from __future__ import annotations

import base64
import io

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.image import imsave
from numpy.typing import NDArray

from medvae.report.canvas import INK, INK_ON_DARK, any_letters
from medvae.report.sides import turned

_INKS = (
    f"svg{{color:{INK}}}@media(prefers-color-scheme:dark){{svg{{color:{INK_ON_DARK}}}}}"
)
WINDOW = (0.0, 1.3)  # reference units, the same for every picture of a report


def svg(figure: Figure) -> str:
    """A figure as a data address, byte for byte the same each time.

    Its ground is transparent and its ink follows the page, dark on light or light on
    dark. Lines over a picture keep their colour.
    """
    out = io.BytesIO()
    with rc_context({"svg.hashsalt": "medvae"}), any_letters():
        figure.savefig(out, format="svg", metadata={"Date": None}, transparent=True)
    text = out.getvalue().decode()
    over_picture = any(axes.images for axes in figure.axes)
    for use in ("fill",) if over_picture else ("fill", "stroke"):
        text = text.replace(f"{use}: {INK}", f"{use}: currentColor")
    text = text.replace("<defs>", f"<style>{_INKS}</style><defs>", 1)
    return _address("image/svg+xml", text.encode())


def slice_png(image: NDArray[np.floating], window: tuple[float, float] = WINDOW) -> str:
    """A slice as a grey PNG, left on the left; of a volume, the middle axial one.

    Args:
        image: (X, Y) or (X, Y, Z) in reference units, RAS+ order.
        window: Black and white.

    Example:
        >>> slice_png(np.zeros((4, 4)))[:22]
        'data:image/png;base64,'
    """
    if image.ndim not in (2, 3):
        raise ValueError(f"a picture is a slice or a volume, got shape {image.shape}")
    plane = image[..., image.shape[2] // 2] if image.ndim == 3 else image
    out = io.BytesIO()
    low, high = window
    shown = np.clip(np.nan_to_num(turned(plane)), low, high)
    imsave(out, shown, cmap="gray", vmin=low, vmax=high, format="png")
    return png_address(out.getvalue())


def png_address(content: bytes) -> str:
    """A PNG as a data address."""
    return _address("image/png", content)


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
