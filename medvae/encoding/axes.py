"""Axes along which codes tell people apart and scanners do not.

Every training scan is encoded many times: moved a little and corrupted into what other
scanners would have made of it. What the copies of one scan differ by is nuisance, what
scans of one site differ by beyond that is the person. With B the covariance of people
within sites, W that of the copies, R that of the sites' means (age and sex taken out)
and D the posterior's own variance, the axes solve

    B v = l (W + R + D) v,        v' (W + R + D) v = 1

as in linear discriminant analysis with the classes and the scatter of speaker
recognition (within-class covariance normalisation, Hatch 2006,
doi:10.21437/Interspeech.2006-183). Along them the nuisance has variance 1, and the
coordinates of a scan depend on no label: neither site nor person need be known.

There are thousands of dimensions and tens of people, so everything happens in the span
of the copies: with D as unit, (I + Q'Q)^-1 B' = B' - Q'(I + QQ')^-1 Q B'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from medvae.encoding.table import INDEX_LOCK, read_table
from medvae.errors import UserError
from medvae.files import atomic_path
from medvae.inputs import DAMAGED, MOST, is_there, near, refuse_special
from medvae.lock import turn

Array = NDArray[np.float64]
_REMEDY = "Fit them again."
_MODEL = "model_digest"
_SMALLEST = 1e-9  # of the first axis; what is below is rounding


@dataclass(frozen=True, eq=False)
class PersonAxes:
    """A linear reading of codes, and the way back.

    Args:
        centre: (d,) code of the average training scan.
        axes: (d, p), best first.
        back: (d, p), what one unit along each axis changes of the code.
        model_digest: SHA-256 of the weights that made the codes; None where unknown.

    Example:
        >>> along, back = np.array([[2.0], [0.0]]), np.array([[0.5], [0.0]])
        >>> one = PersonAxes(np.zeros(2), along, back)
        >>> mean, std = one.read([[3.0, 7.0]], [[0.1, 0.1]])
        >>> mean.tolist(), one.code(mean).tolist()
        ([[6.0]], [[3.0, 0.0]])
    """

    centre: Array
    axes: Array
    back: Array
    model_digest: str | None = None

    def read(self, mean: ArrayLike, std: ArrayLike) -> tuple[Array, Array]:
        """Mean and standard deviation along the axes, (n, p), of codes (n, d)."""
        mu, sigma = np.asarray(mean, np.float64), np.asarray(std, np.float64)
        return (mu - self.centre) @ self.axes, np.sqrt(sigma**2 @ self.axes**2)

    def code(self, mean: ArrayLike) -> Array:
        """The likeliest codes (n, d) behind coordinates (n, p), nuisance at rest."""
        return self.centre + np.asarray(mean, np.float64) @ self.back.T

    def first(self, count: int) -> PersonAxes:
        """The best ``count`` of the axes."""
        return replace(self, axes=self.axes[:, :count], back=self.back[:, :count])

    def check_model(self, digest: str | None, where: Path) -> None:
        """Refuse axes that were fitted to codes of another network of the same size.

        Args:
            digest: SHA-256 of the weights that make the codes to read.
            where: The file of these axes.

        Raises:
            UserError: They differ; nothing is said where one is unknown.
        """
        if None not in (digest, self.model_digest) and digest != self.model_digest:
            raise UserError(
                f"{where}: fitted to codes of another run. Fit axes to this one: "
                "medvae axes RUN"
            )

    def check_size(self, numbers: int, where: Path) -> None:
        """Refuse codes of another size than those that the axes were fitted to.

        Args:
            numbers: Of each code.
            where: The file or folder to name.

        Raises:
            UserError: Names both sizes.
        """
        if numbers != len(self.centre):
            raise UserError(
                f"{where}: codes have {numbers} numbers, the axes {len(self.centre)}. "
                "Fit axes to the same run: medvae axes RUN"
            )

    def write(self, path: Path) -> None:
        """Write as safetensors; the file appears complete or not at all."""
        with atomic_path(path) as partial:
            save_file(
                {
                    "centre": self.centre,
                    "axes": np.ascontiguousarray(self.axes),
                    "back": np.ascontiguousarray(self.back),
                },
                partial,
                {_MODEL: self.model_digest} if self.model_digest else None,
            )


def read_axes(path: Path) -> PersonAxes:
    """The inverse of `PersonAxes.write`.

    Raises:
        UserError: Not such a file, or a damaged one.
    """
    if not is_there(path):
        raise UserError(
            f"{path}: not found.{near(path)} Make it with: medvae axes RUN -o {path}"
        )
    refuse_special(path)
    try:
        with safe_open(path, "numpy") as file:
            told = file.metadata() or {}
            found = [file.get_tensor(name) for name in ("centre", "axes", "back")]
        parts = [np.asarray(part, np.float64) for part in found]
    except (SafetensorError, AttributeError, *DAMAGED) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: holds no axes ({reason}). {_REMEDY}") from None
    centre, axes, back = parts
    shapes = [part.shape for part in parts]
    if axes.ndim != 2 or back.shape != axes.shape or centre.shape != axes.shape[:1]:
        raise UserError(f"{path}: shapes {shapes} do not fit each other. {_REMEDY}")
    if not axes.size:
        raise UserError(f"{path}: holds no axes (shape {axes.shape}). {_REMEDY}")
    if not all((np.abs(part) < MOST).all() for part in parts):  # nor where it is NaN
        raise UserError(f"{path}: a number is not below {MOST:g}. {_REMEDY}")
    return PersonAxes(centre, axes, back, told.get(_MODEL))


def kept_of(path: Path, keep: int | None) -> str | None:
    """A word where more axes are to be kept than a file holds.

    Raises:
        UserError: As of :func:`read_axes`.
    """
    count = read_axes(path).axes.shape[1]
    if keep is None or keep <= count:
        return None
    return f"--keep {keep}: {path} holds {count} axes; all of them are kept."


def write_along(folder: Path, axes: PersonAxes) -> Path:
    """Write axes.npy beside latents.npy: a row for each of index.tsv, float32 (n, p).

    Raises:
        UserError: No table of codes, or codes of another size than the axes.
    """
    with turn(folder / INDEX_LOCK):  # of processes that share a list, the last has all
        _, vectors = read_table(folder)
        axes.check_size(vectors.shape[1], folder)
        along, _ = axes.read(vectors, np.zeros_like(vectors))
        with atomic_path(folder / "axes.npy") as partial, partial.open("wb") as file:
            np.save(file, along.astype(np.float32))
    return folder / "axes.npy"


def fit_axes(
    copies: ArrayLike,
    std: ArrayLike,
    sites: Sequence[str],
    covariates: ArrayLike | None = None,
) -> PersonAxes:
    """Every axis that the people allow: their number less that of the sites.

    Args:
        copies: (n, k, d) posterior means of k copies of each of n scans.
        std: (d,) typical posterior standard deviation.
        sites: (n,) where each scan was made.
        covariates: (n, c), such as age and sex. The sites' means are compared at equal
            covariates; their effect on people is kept.

    Raises:
        ValueError: One copy only, or no site with two scans.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> person = rng.normal(size=(20, 1, 3)) * [1, 1, 0]
        >>> scanner = rng.normal(size=(20, 5, 3)) * [0, 9, 9]
        >>> fitted = fit_axes(person + scanner, np.full(3, 0.1), ["A", "B"] * 10)
        >>> best = np.abs(fitted.axes[:, 0])
        >>> bool(best[0] > 20 * best[1:].max())
        True
    """
    z, unit = np.asarray(copies, np.float64), np.asarray(std, np.float64)
    n, k, d = z.shape
    names, code = np.unique(np.asarray(sites, dtype=str), return_inverse=True)
    if k < 2 or n <= len(names):
        raise ValueError(
            f"axes need two copies of each scan and two scans at some site, got {k} "
            f"copies of {n} scans at {len(names)} sites"
        )
    z = z / unit
    person = z.mean(axis=1)
    design = (code[:, None] == np.arange(len(names))).astype(np.float64)
    if covariates is not None:
        table = np.asarray(covariates, np.float64)
        design = np.column_stack([design, table - table.mean(axis=0)])
    site = np.linalg.lstsq(design, person, rcond=None)[0][: len(names)]
    people = (person - site[code]) / np.sqrt(n - len(names))
    nuisance = np.concatenate(
        [
            (z - person[:, None]).reshape(n * k, d) / np.sqrt(n * (k - 1)),
            (site - site.mean(axis=0)) / np.sqrt(max(len(names) - 1, 1)),
        ]
    )
    gram = nuisance @ nuisance.T
    gram[np.diag_indices_from(gram)] += 1
    quiet = people.T - nuisance.T @ np.linalg.solve(gram, nuisance @ people.T)
    ratio, mix = np.linalg.eigh(people @ quiet)
    ratio, mix = ratio[::-1], mix[:, ::-1]
    kept = ratio > _SMALLEST * ratio[0]
    mix = mix[:, kept] / np.sqrt(ratio[kept])
    axes, back = (quiet @ mix) / unit[:, None], (people.T @ mix) * unit[:, None]
    return PersonAxes(person.mean(axis=0) * unit, axes, back)
