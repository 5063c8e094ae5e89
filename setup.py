"""Settings and presets of configs/ go into the wheel; pyproject.toml cannot say it.

In a checkout they are read where they lie.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

CONFIGS = Path(__file__).parent / "configs"
PLACES = {
    CONFIGS: Path("medvae/configs"),
    CONFIGS / "noise": Path("noise_models/configs"),
}


def ship(library: Path) -> None:
    """Copy the YAML files beside the packages that read them."""
    for folder, place in PLACES.items():
        (library / place).mkdir(parents=True, exist_ok=True)
        for file in folder.glob("*.yaml"):
            shutil.copy(file, library / place)


class BuildWithConfigs(build_py):
    """Building, then shipping; an editable install builds nothing."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            ship(Path(self.build_lib))


if __name__ == "__main__":
    setup(cmdclass={"build_py": BuildWithConfigs})
