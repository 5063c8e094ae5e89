"""What every question starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medvae.evaluation.latents import EncoderLike, Latents, PreparedScan


@dataclass(frozen=True)
class Setting:
    """An encoder, the scans it is asked about, and their latents.

    Args:
        encoder: What is evaluated.
        scans: Every scan of the cohort on the training grid.
        latents: Their posteriors, same order.
        seen: Training sites.
        held_out: Sites that training never saw.
        batch_size: Scans decoded at once.
    """

    encoder: EncoderLike
    scans: Sequence[PreparedScan]
    latents: Latents
    seen: tuple[str, ...]
    held_out: tuple[str, ...]
    batch_size: int = 4

    def at(
        self, sites: Sequence[str], splits: Sequence[str] | None = None
    ) -> list[int]:
        """Numbers of the scans at some sites, of subjects in some splits."""
        return [
            i
            for i, scan in enumerate(self.scans)
            if scan.site in sites and (splits is None or scan.split in splits)
        ]

    def site_input(self, site: str) -> str | None:
        """The site to decode for; None if the decoder has no input for it."""
        return site if site in self.encoder.sites else None

    def test_scans(self) -> list[int]:
        """Training-site scans of test subjects."""
        return self.at(self.seen, ["test"])

    def held_out_scans(self) -> list[int]:
        """Held-out-site scans of people that training never saw elsewhere either.

        All of them, if every person there was also trained on at a training site.
        """
        everyone = self.at(self.held_out)
        learned = self.at(self.seen, ["train", "validation"])
        trained = set(self.subjects(learned))
        return [i for i in everyone if self.scans[i].subject not in trained] or everyone

    def subjects(self, index: Sequence[int]) -> list[str]:
        """Who the scans show."""
        return [self.scans[i].subject for i in index]

    def sites(self, index: Sequence[int]) -> list[str]:
        """Where the scans were made."""
        return [self.scans[i].site or "" for i in index]

    def travelers(self) -> dict[str, dict[str, int]]:
        """First scan of each traveler at each site, by subject then site.

        Travelers in the train split are left out where at least three others remain:
        what the network was trained to repeat says little about what it can transfer.
        """
        everyone: dict[str, dict[str, int]] = {}
        for i in self.at((*self.seen, *self.held_out)):
            site = self.scans[i].site or ""
            everyone.setdefault(self.scans[i].subject, {}).setdefault(site, i)
        people = {who: at for who, at in everyone.items() if len(at) > 1}
        fresh = {
            who: at
            for who, at in people.items()
            if all(self.scans[i].split != "train" for i in at.values())
        }
        return fresh if len(fresh) >= 3 else people


def generator(seed: int, question: str) -> np.random.Generator:
    """A generator of each question's own, so that one cannot disturb another.

    Example:
        >>> a, b = generator(0, "leakage"), generator(0, "leakage")
        >>> a.random() == b.random()
        True
    """
    return np.random.default_rng([seed, *question.encode()])
