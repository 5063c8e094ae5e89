"""The page of corruption models and its pictures, by ``medvae noise preview``.

python docs/make_pictures.py SCAN [NAME ...]   # pictures of these alone

Those of the page show the one scan of
``medvae phantom DIR --sites NYU --subjects 1 --travelers 0 --voxel-scale 2``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

import noise_models
from noise_models.presets import PRESETS
from noise_models.registry import model_class

HERE = Path(__file__).parent
WIDTH = 540
TOP = """# The corruption models

Each is a distribution p(corrupted | clean), one file in `noise_models/`. Pictures: a
phantom's head as scanned and two draws of the preset, in three planes and one grey
scale (`medvae noise preview NAME SCAN -o PNG`; this page is written by
`python docs/make_pictures.py SCAN`). Intensities are in units of white matter.

The fitted one, `scanner`, needs a fit: [the tutorial](tutorial.md) makes one.
"""


def main(scan: str, *drawn: str) -> None:
    """Draw them, all if none is named, and write the page."""
    page = TOP
    for name in sorted(path.stem for path in PRESETS.glob("*.yaml")):
        if not drawn or name in drawn:
            draw(name, scan)
        preset = (PRESETS / f"{name}.yaml").read_text(encoding="utf-8").strip()
        page += (
            f"\n## {name}\n\n{summary(name)}\n\n```yaml\n{preset}\n```\n\n"
            f"![A head corrupted by {name}](pictures/{name}.png)\n"
        )
    (HERE / "models.md").write_text(page, encoding="utf-8")


def summary(name: str) -> str:
    """First sentence of the model's docstring; a chain says what it chains."""
    if name not in noise_models.names():
        model = noise_models.load(name)
        steps = [step.name for step in getattr(model, "steps", ())]
        if not steps:
            return f"Of the model {model.name}."
        return f"A chain: {', then '.join(steps)}."
    return (model_class(name).__doc__ or "").strip().splitlines()[0]


def draw(name: str, scan: str) -> None:
    """One small grey picture."""
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "drawn.png"
        words = ["noise", "preview", name, scan, "-o", str(drawn), "--draws", "2"]
        start = [sys.executable, "-c", "from medvae.cli import main; main()"]
        subprocess.run([*start, *words], check=True)
        picture = Image.open(drawn).convert("L")
    size = (WIDTH, round(picture.height * WIDTH / picture.width))
    small = picture.resize(size, Image.Resampling.LANCZOS).quantize(40)
    small.save(HERE / "pictures" / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
