"""Codes as features of scikit-learn: ``make_pipeline(LatentEncoder(run), Ridge())``.

The encoder was trained before and is not trained here: fitting only looks at the
input, so a cross-validation cannot leak through it, as long as the people it is
validated on were not in the run's training set (``splits.json`` of the run says who).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils.validation import check_is_fitted

from medvae.encoding import Encoder
from medvae.errors import UserError

KEPT_CODES = 2048  # rows that stay in memory, so that folds do not encode a scan twice

FloatArray = npt.NDArray[np.float32]


class LatentEncoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Scans to rows of features, as a scikit-learn transformer.

    X is a sequence of NIfTI paths, an array of them (n,) or (n, 1), or a data frame
    with one column of them or a column ``path``. Codes are kept in memory by file,
    so cross-validation encodes each scan once.

    Args:
        run: Run folder, or a folder of the Hugging Face layout.
        device: auto, cpu, cuda or mps.

    Example:
        >>> import tempfile, nibabel as nib
        >>> from medvae.model.network import DenoisingVAE, NetworkConfig
        >>> from medvae.model.weights import save_model
        >>> run = Path(tempfile.mkdtemp())
        >>> save_model(DenoisingVAE(NetworkConfig(
        ...     grid_shape=(16, 16, 16), spacing_mm=(8, 8, 8), channels=(4, 8),
        ...     latent_channels=2)), run)
        >>> ball = np.linalg.norm(np.indices((40, 40, 40)) - 19.5, axis=0) < 15
        >>> scan = nib.Nifti1Image(700 * ball.astype(np.float32), 4 * np.eye(4))
        >>> nib.save(scan, run / "scan.nii")
        >>> LatentEncoder(run).fit_transform([run / "scan.nii"]).shape
        (1, 128)
    """

    def __init__(self, run: str | os.PathLike[str] = ".", device: str = "cpu") -> None:
        self.run = run
        self.device = device

    def fit(self, X: object, y: object = None) -> Self:
        """Load the model and look at the input; nothing is learned.

        Raises:
            UserError: Not a run folder, or X holds no paths.
        """
        del y
        _paths(X)
        encoder = self._encoder()
        self._n_features_out = int(np.prod(encoder.vae.config.latent_shape))
        self.sites_ = encoder.sites
        return self

    def transform(self, X: object) -> FloatArray:
        """Encode scans, (n, features), float32.

        Raises:
            UserError: A scan cannot be read; names it.
        """
        check_is_fitted(self)
        encoder = self._encoder()
        mark = str(encoder.model_digest)
        rows = [_code(*_state(path), mark, self._where()) for path in _paths(X)]
        return np.stack(rows)

    def _encoder(self) -> Encoder:
        return _loaded(*self._where())

    def _where(self) -> tuple[str, str, int]:
        run = Path(self.run).resolve()
        weights = run / "model.safetensors"
        changed = weights.stat().st_mtime_ns if weights.exists() else 0
        return str(run), self.device, changed

    def __sklearn_is_fitted__(self) -> bool:
        """Whether :meth:`fit` has been called."""
        return hasattr(self, "_n_features_out")

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401 (scikit-learn has no types)
        """X is paths, not numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags


@lru_cache(maxsize=2)
def _loaded(run: str, device: str, changed: int) -> Encoder:
    del changed  # part of the key: weights written anew are read anew
    return Encoder.load(run, device)


@lru_cache(maxsize=KEPT_CODES)
def _code(
    path: str, changed: int, size: int, mark: str, where: tuple[str, str, int]
) -> FloatArray:
    del changed, size, mark  # parts of the key
    vector = _loaded(*where).encode(Path(path)).vector
    vector.setflags(write=False)
    return vector


def _state(path: Path) -> tuple[str, int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}. Check the path.") from None
    return str(path.resolve()), found.st_mtime_ns, found.st_size


def _paths(X: object) -> Sequence[Path]:
    """The paths that X holds, whatever carries them.

    Raises:
        UserError: It holds none, or something else.
    """
    if hasattr(X, "columns"):  # a data frame
        names = list(X.columns)
        column = "path" if "path" in names else names[0] if len(names) == 1 else None
        if column is None:
            raise UserError(
                f"a column 'path' is required, got columns {names}. Select it."
            )
        X = X[column].to_numpy()  # type: ignore[index]  # a data frame has columns
    if isinstance(X, str | os.PathLike) or not isinstance(X, Iterable):
        raise UserError(f"X must be a list of paths, got {X!r:.60}.")
    values = np.asarray(X, dtype=object)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    bad = [v for v in values.ravel() if not isinstance(v, str | os.PathLike)]
    if values.ndim != 1 or not len(values) or bad:
        found = f"{bad[0]!r:.40}" if bad else f"shape {values.shape}"
        raise UserError(f"X must be a list of paths, one a scan, got {found}.")
    return [Path(value) for value in values]
