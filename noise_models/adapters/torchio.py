"""Any corruption model as a TorchIO transform (extra ``torchio``)."""

from __future__ import annotations

from typing import Any

try:
    from torchio import Subject
    from torchio.transforms import IntensityTransform
    from torchio.transforms.augmentation import RandomTransform
except ImportError as error:
    raise ImportError(
        "TorchIO transforms need the extra 'torchio': "
        "pip install 'medvae-denoise[torchio]'."
    ) from error

from noise_models.adapters.single import Reference, corrupt_image, level_of
from noise_models.base import NoiseModel


class RandomCorruption(RandomTransform, IntensityTransform):
    """Corrupt the intensity images of a TorchIO subject.

    As TorchIO does, it draws a seed for every image and applies :class:`Corruption`,
    so a subject's history gives the same voxels again.

    Args:
        noise: The model, such as ``noise_models.get("rician")``.
        reference: What 1 is in the images' units: a number, the name of an entry of
            the subject that holds it, or a function of the image (C, X, Y, Z).
        source_key: Entry of the subject with the site label, which a fitted noise
            looks at.
        **options: ``p``, ``include``, ``exclude``, ... of every TorchIO transform.

    Example:
        >>> import noise_models, torch, torchio
        >>> image = torchio.ScalarImage(tensor=torch.ones(1, 8, 8, 8))
        >>> corrupt = RandomCorruption(noise_models.get("rician", sigma=0.1))
        >>> noisy = corrupt(torchio.Subject(t1=image))
        >>> round(noisy.t1.data.std().item(), 1)
        0.1
    """

    def __init__(
        self,
        noise: NoiseModel,
        reference: Reference = 1.0,
        source_key: str | None = None,
        **options: Any,  # noqa: ANN401 (TorchIO's own)
    ) -> None:
        super().__init__(**options)
        self.noise, self.reference, self.source_key = noise, reference, source_key

    def apply_transform(self, subject: Subject) -> Subject:
        """Draw a seed for each image and corrupt with them."""
        images = self.get_images_dict(subject)
        if not images:
            return subject
        seeds = {name: int(self._get_random_seed()) for name in images}
        fixed = Corruption(
            self.noise, self.reference, self.source_key, seeds, **self._get_base_args()
        )
        return fixed(subject)


class Corruption(IntensityTransform):
    """The same corruption every time; what :class:`RandomCorruption` leaves behind.

    Args:
        noise: The model.
        reference: See :class:`RandomCorruption`.
        source_key: See :class:`RandomCorruption`.
        seed: One number, or one for each image by name.
        **options: Of every TorchIO transform.
    """

    def __init__(
        self,
        noise: NoiseModel,
        reference: Reference = 1.0,
        source_key: str | None = None,
        seed: int | dict[str, int] = 0,
        **options: Any,  # noqa: ANN401 (TorchIO's own)
    ) -> None:
        super().__init__(**options)
        self.noise, self.reference, self.source_key = noise, reference, source_key
        self.seed = seed
        self.args_names = ["noise", "reference", "source_key", "seed"]

    def apply_transform(self, subject: Subject) -> Subject:
        """Corrupt each image with its seed."""
        source = subject[self.source_key] if self.source_key else None
        for name, image in self.get_images_dict(subject).items():
            seed = self.seed[name] if isinstance(self.seed, dict) else self.seed
            image.set_data(
                corrupt_image(
                    self.noise,
                    image.data,
                    seed=seed,
                    spacing_mm=image.spacing,
                    reference=level_of(self.reference, image.data, subject),
                    source=source,
                )
            )
        return subject
