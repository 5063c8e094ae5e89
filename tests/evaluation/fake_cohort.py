"""A small world whose answers are known: heads, scanners, and an encoder of them.

A head is a blob whose size is its age plus fixed anatomy; a scanner multiplies it and
adds an offset image. The encoder projects on a fixed orthonormal basis.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import torch

from medvae.evaluation import evaluate
from medvae.model.detail import BANDS

SHAPE = (12, 12, 12)
GAIN = {"A": 1.0, "B": 1.25, "C": 0.8, "D": 0.9, "E": 1.1, "N": 1.5}


@dataclass
class FakeScan:
    image: np.ndarray
    mask: np.ndarray
    subject: str
    site: str | None
    age: float | None
    sex: str | None
    split: str | None


class FakeEncoder:
    """Knows the scanners' gains; ``blind`` says how much of them it undoes."""

    def __init__(self, sites=("A", "B"), dims=20, blind=1.0, mean_code=True, seed=0):
        self.sites = sites
        self.grid = SimpleNamespace(shape=SHAPE, spacing_mm=(2.0, 2.0, 2.0))
        self.likelihood, self.scale = "gaussian", 0.1
        self.detail = torch.ones(BANDS)
        self.blind, self.mean_code, self.dims = blind, mean_code, dims
        self.calls = []
        rng = np.random.default_rng(seed)
        basis = rng.normal(size=(int(np.prod(SHAPE)), max(dims - 4, 1)))
        self.basis, _ = np.linalg.qr(np.concatenate([anatomy().T, basis], axis=1))
        self.basis = self.basis[:, :dims]

    def encode_batch(self, x):
        assert x.ndim == 5
        flat = x.double().numpy().reshape(len(x), -1)
        gain = np.sqrt(np.mean(flat**2, axis=1, keepdims=True))
        flat = flat / gain**self.blind
        z = (
            torch.as_tensor(flat @ self.basis)
            .float()
            .reshape(len(x), self.dims, 1, 1, 1)
        )
        return z, torch.full_like(z, 0.05)

    def within_field_of_view(self, x, site=None):
        return x

    def decode_batch(self, z, site=None):
        self.calls.append(site)
        if site is None and not self.mean_code:
            raise ValueError("no mean site code")
        flat = z.double().numpy().reshape(len(z), -1) @ self.basis.T
        level = np.sqrt(np.mean(flat**2, axis=1, keepdims=True))
        gains = [GAIN[s] for s in self.sites] if site is None else [GAIN[site]]
        flat = flat / level**self.blind * np.mean(gains) ** self.blind
        return torch.as_tensor(flat).float().reshape(len(z), 1, *SHAPE)


def anatomy():
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    r2 = x**2 + 1.3 * y**2 + 0.8 * z**2
    maps = [np.exp(-2 * r2), np.exp(-8 * r2), x * np.exp(-3 * r2), y * z * np.exp(-r2)]
    return np.stack([m.ravel() / np.linalg.norm(m) for m in maps])


def head(rng, age):
    amount = np.array([1.0, -0.3 + 0.008 * age, *rng.normal(0, 0.2, 2)])
    flat = amount @ anatomy()
    return (flat / np.sqrt(np.mean(flat**2))).reshape(SHAPE)


def fake_cohort(
    sites=("A", "B", "N"), per_site=12, travelers=6, seed=0, noise=0.02, test=0.5
):
    rng = np.random.default_rng(seed)
    mask = np.zeros(SHAPE, bool)
    mask[2:-2, 2:-2, 2:-2] = True
    scans = []

    def scan(subject, site, age, split, body):
        image = GAIN[site] * body + rng.normal(0, noise, SHAPE)
        sex = "F" if hash(subject) % 2 else "M"
        scans.append(
            FakeScan(image.astype(np.float32), mask, subject, site, age, sex, split)
        )

    for site in sites:
        for k in range(per_site):
            age = float(rng.uniform(20, 80))
            split = "test" if k < test * per_site else "train"
            scan(f"{site}{k}", site, age, split, head(rng, age))
    for k in range(travelers):
        age = float(rng.uniform(20, 80))
        body = head(rng, age)
        for site in sites:
            scan(f"T{k}", site, age, "test", body)
    return scans


def evaluated(blind=1.0, cohort=None, **options):
    """The evaluation of a `FakeEncoder` with site N held out."""
    options = {"held_out": ["N"], "permutations": 40, "align": False} | options
    scans = fake_cohort() if cohort is None else cohort
    return evaluate(FakeEncoder(blind=blind), scans, **options)
