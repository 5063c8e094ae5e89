"""Any corruption model as a MONAI dictionary transform."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data.meta_tensor import MetaTensor
from monai.transforms import MapTransform, RandomizableTransform
from monai.utils import convert_to_dst_type

from noise_models.adapters.single import Reference, corrupt_image, level_of
from noise_models.base import NoiseModel


class Corruptd(RandomizableTransform, MapTransform):
    """Corrupt the images under some keys, in a MONAI ``Compose``.

    Images are channels first. Every key gets a draw of its own, as scans of one person
    have noise of their own; ``set_random_state`` (of this transform or of the
    ``Compose``) decides them all. Voxel sizes are read from a ``MetaTensor``; without
    one they count as 1 mm.

    Args:
        keys: Of the images.
        noise: The model, such as ``noise_models.get("rician")``.
        reference: What 1 is in the images' units: a number, a key that holds it, or a
            function of the image. The default takes images in reference units.
        prob: Share of the samples that are corrupted.
        source_key: Key of the site label, which a fitted noise looks at; every sample
            must have it.
        allow_missing_keys: Pass over keys that a sample lacks.

    Example:
        >>> import noise_models
        >>> corrupt = Corruptd("image", noise_models.get("rician", sigma=0.1))
        >>> _ = corrupt.set_random_state(0)
        >>> sample = corrupt({"image": torch.ones(1, 8, 8, 8), "site": "NYU"})
        >>> round(sample["image"].std().item(), 1), sample["site"]
        (0.1, 'NYU')
    """

    def __init__(
        self,
        keys: KeysCollection,
        noise: NoiseModel,
        reference: Reference = 1.0,
        prob: float = 1.0,
        source_key: str | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob)
        self.noise, self.reference, self.source_key = noise, reference, source_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with its images corrupted."""
        sample = dict(data)
        self.randomize(None)
        if not self._do_transform:
            return sample
        source = sample[self.source_key] if self.source_key else None
        for key in self.key_iterator(sample):
            image = sample[key]
            tensor = torch.as_tensor(np.asarray(image))
            noisy = corrupt_image(
                self.noise,
                tensor,
                seed=int(self.R.randint(2**31 - 1)),
                spacing_mm=_spacing(image),
                reference=level_of(self.reference, tensor, sample),
                source=source,
            )
            sample[key] = convert_to_dst_type(noisy, image, dtype=torch.float32)[0]
        return sample


def _spacing(image: object) -> tuple[float, ...] | None:
    if not isinstance(image, MetaTensor):
        return None
    return tuple(float(size) for size in image.pixdim[: image.ndim - 1])


CorruptD = CorruptDict = Corruptd
