"""One small run as a program of its own: ``train_alone.py FOLDER [key=value]``.

Lightning starts it again for every further device.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

from training_material import cohort, material, settings

import noise_models
from medvae.training.run import train

if __name__ == "__main__":
    folder, *overrides = sys.argv[1:]
    resume = "--resume" in overrides
    stop = int(os.environ.get("STOP_AT", "0"))

    def report(done, total, label):
        if stop and done >= stop:
            raise KeyboardInterrupt

    train(
        settings(*(o for o in overrides if o != "--resume")),
        cohort(11),
        material(11),
        noise_models.get("rician", sigma=(0.05, 0.1)),
        Path(folder),
        resume=resume,
        progress=report,
    )
