"""A quantity with a true zero: the bright tissue of one head on several scanners.

Latents have no coefficient of variation. What a study measures on images has, and it
says in one number whether harmonised scans of one person agree better than the scans.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medvae.evaluation.bootstrap import interval
from medvae.evaluation.estimate import Estimate, FloatArray, IntArray
from medvae.evaluation.latents import decode_scans
from medvae.evaluation.questions.setting import Setting, generator
from medvae.evaluation.result import Answers
from medvae.evaluation.travelers import within_subject_cov

BRIGHT = 0.85  # of white matter
LEAST = 3


def bright_volume_ml(
    image: NDArray[np.floating], mask: NDArray[np.bool_], voxel_mm3: float
) -> float:
    """Volume of the head's voxels at least ``BRIGHT`` times as bright as white matter.

    Mostly white matter and scalp fat: no tissue volume for a study, but the same
    measure for every scan and every arm.

    Example:
        >>> bright_volume_ml(np.ones((10, 10, 10)), np.ones((10, 10, 10), bool), 8.0)
        8.0
    """
    return float(np.sum(image[mask] >= BRIGHT)) * voxel_mm3 / 1000


def bright_volume(setting: Setting, answers: Answers, seed: int) -> None:
    """Within-person variation of the bright volume over all sites of a traveler.

    ``raw``: of the scans as they are; ``harmonised``: of all decoded with the input of
    the first training site.
    """
    everyone = setting.travelers()
    most = max((len(at) for at in everyone.values()), default=0)
    people = [at for _, at in sorted(everyone.items()) if len(at) == most]
    if len(people) < LEAST:
        answers.cannot(
            "variation of the bright volume over scanners",
            f"it needs {LEAST} travelers at the same number of sites, got "
            f"{len(people)}",
        )
        return
    index = [i for at in people for i in at.values()]
    site_input = setting.site_input(setting.seen[0])
    size = float(np.prod(setting.encoder.grid.spacing_mm))
    masks = {i: setting.scans[i].mask for i in index}
    decoded = decode_scans(
        setting.encoder,
        setting.latents,
        index,
        site_input,
        batch_size=setting.batch_size,
    )
    volumes = {
        "raw": [
            bright_volume_ml(setting.scans[i].image, masks[i], size) for i in index
        ],
        "harmonised": [bright_volume_ml(x, masks[i], size) for i, x in decoded],
    }
    who = [str(number) for number in range(len(people))]
    rng = generator(seed, "volume")
    for name, values in volumes.items():
        table = np.reshape(values, (len(people), most))
        if not (table > 0).all():
            answers.cannot(
                f"variation of the bright volume over scanners, {name}",
                "it needs a bright voxel in every scan, got a scan without",
            )
            continue

        def over(drawn: IntArray, table: FloatArray = table) -> float:
            return within_subject_cov(table[drawn])

        number = Estimate(within_subject_cov(table), interval(over, who, rng), len(who))
        answers.add("travelers", f"cov_bright_volume_{name}", number)
