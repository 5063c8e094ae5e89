"""One training run, from a cohort to a run folder."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pydantic import ValidationError
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor
from torch.utils.data import DataLoader

from medvae.cohort import Cohort, Scan
from medvae.errors import UserError
from medvae.lock import sole_writer
from medvae.model.network import DenoisingVAE, NetworkConfig
from medvae.model.weights import check_device, save_model
from medvae.training.checkpoints import WholeCheckpoints, read_checkpoint
from medvae.training.config import TrainConfig
from medvae.training.data import Entry, TrainingScans, Views, Volumes, loader
from medvae.training.detail import fit_detail, spread_over
from medvae.training.loggers import open_logger
from medvae.training.module import DenoisingTraining
from medvae.training.progress import Chronicle, Progress
from medvae.training.ranks import check_processes, process_rank
from medvae.training.run_folder import Plan, join_run, open_run, write_card
from medvae.training.scan_ends import fields_of_view
from medvae.training.seal import write_seal
from medvae.training.seeds import seed_of
from medvae.training.split import Splits
from medvae.volume import Grid
from noise_models.base import NoiseModel


@dataclass(frozen=True)
class Material:
    """What a run learns from, prepared.

    Args:
        scans: Scans in the order of ``volumes``.
        volumes: Their prepared volumes.
        splits: Split by subject.
        sources: What the noise model knows of a scan's own scanner, by its path;
            the site label stands in where nothing is known.
        views: Corruptions made beforehand, which then replace the noise model's.
    """

    scans: Sequence[Scan]
    volumes: Volumes
    splits: Splits
    sources: Mapping[Path, object]
    views: Views | None = None

    def entries(self, split: str, without: Sequence[str]) -> list[Entry]:
        """The scans of one split, none of them from the sites ``without``."""
        return [
            Entry(i, _name(scan), scan.site, self.sources.get(scan.path, scan.site))
            for i, scan in enumerate(self.scans)
            if self.splits.get(scan.subject) == split and scan.site not in without
        ]


def _name(scan: Scan) -> str:
    return "/".join(filter(None, (scan.site, scan.subject, scan.session)))


def grid_of(config: TrainConfig) -> Grid:
    """The training grid that the configuration asks for."""
    return Grid(config.grid.shape, config.grid.spacing_mm)


def train(
    config: TrainConfig,
    cohort: Cohort,
    material: Material,
    noise: NoiseModel,
    run: Path,
    *,
    resume: bool = False,
    progress: Progress | None = None,
    command: str = "",
) -> Path:
    """Train a denoising VAE and write its run folder.

    The weights kept are those of the epoch with the best denoising bound on the
    validation subjects, under corruptions that are the same at every epoch; without
    validation subjects, the last.

    Args:
        config: The resolved configuration.
        cohort: The scans of the training sites, for the model card.
        material: Prepared volumes and who is in which split.
        noise: The corruption, frozen.
        run: Folder to write.
        resume: Go on from the last checkpoint of an interrupted run.
        progress: Called with (steps done, steps in all, words).
        command: What was typed, for the record.

    Raises:
        UserError: The folder holds another run, there is nothing to train on, or
            processes were started that would not train together.
    """
    check_processes(config.devices, config.nodes)
    training = material.entries("train", config.held_out)
    validation = material.entries("validation", config.held_out)
    if not training:
        raise UserError(
            "no scans are left for training: subjects seen at several sites are kept "
            "for the test. Hold out fewer sites, or give a column 'split'."
        )
    known = {entry.site for entry in training if entry.site is not None}
    sites = tuple(sorted(known)) if config.network.conditional else ()
    torch.manual_seed(seed_of(config.seed, "weights"))
    vae = DenoisingVAE(network_of(config, sites))
    plan = Plan(tuple(sorted(known)), material.splits)
    is_first = process_rank() == 0
    module = DenoisingTraining(vae, noise, config, training, validation)
    with sole_writer(run) if is_first else nullcontext():
        last = (
            open_run(run, config, noise, plan, resume=resume)
            if is_first
            else join_run(run, resume=resume)
        )
        best = _fit(config, module, material, run, last, progress)
        if best is not None:
            module.load_state_dict(read_checkpoint(best)["state_dict"])
        if is_first:
            if sites:
                vae.detail.copy_(_detail(config, module, material))
                faces = fields_of_view(training, material.volumes, sites, vae.config)
                vae.field_of_view.copy_(faces)
            save_model(vae, run)
            counts = len(training), len(validation)
            write_card(run, config, cohort, sites, counts)
            write_seal(run, command)
    return run


def network_of(config: TrainConfig, sites: tuple[str, ...] = ()) -> NetworkConfig:
    """The network that the configuration asks for.

    Raises:
        UserError: A grid that the levels cannot halve.
    """
    try:
        return NetworkConfig(
            grid_shape=config.grid.shape,
            spacing_mm=config.grid.spacing_mm,
            latent=config.network.latent,
            channels=config.network.channels,
            latent_channels=config.network.latent_channels,
            likelihood=config.network.likelihood,
            sites=sites,
        )
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UserError(f"settings: {reason}") from None


def _fit(
    config: TrainConfig,
    module: DenoisingTraining,
    material: Material,
    run: Path,
    last: Path | None,
    progress: Progress | None,
) -> Path | None:
    watched = bool(module.entries["validation"])
    keeper = ModelCheckpoint(
        dirpath=run / "checkpoints",
        filename="best",
        monitor="validation_bound" if watched else None,
        mode="max",
        save_last=True,
        save_top_k=1 if watched else 0,
        enable_version_counter=False,
        save_on_train_epoch_end=True,  # after the epoch's line in metrics.jsonl
    )
    trainer = pl.Trainer(
        max_epochs=config.optimiser.epochs,
        accelerator=accelerator_of(config.device, config.precision),
        devices=config.devices,
        num_nodes=config.nodes,
        strategy=_strategy(config),
        precision=config.precision,
        gradient_clip_val=config.optimiser.clip_norm,
        accumulate_grad_batches=config.optimiser.accumulate,
        plugins=[WholeCheckpoints()],
        callbacks=[Chronicle(run / "metrics.jsonl", progress), keeper],
        deterministic=True,
        logger=open_logger(config.logger, run) or False,
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        default_root_dir=run,
    )
    with warnings.catch_warnings():
        # One process reads memory-mapped volumes; more workers would not be faster.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")
        warnings.filterwarnings("ignore", message=".*exists and is not empty.*")
        try:
            trainer.fit(
                module,
                _batches(config, module, material, "train", trainer),
                _batches(config, module, material, "validation", trainer)
                if watched
                else None,
                ckpt_path=last,
                weights_only=True,
            )
        except SystemExit:  # how Lightning ends after Ctrl-C
            raise KeyboardInterrupt from None
    return Path(keeper.best_model_path) if watched and keeper.best_model_path else None


def _detail(
    config: TrainConfig, module: DenoisingTraining, material: Material
) -> Tensor:
    """Of validation scans; without any, of those that were trained on."""
    stage = "validation" if module.entries["validation"] else "train"
    scans = TrainingScans(
        module.entries[stage],
        material.volumes,
        seed=config.seed,
        views=material.views,
        copies=config.objective.copies,
    )
    batches = DataLoader(
        scans,
        sampler=[(0, number) for number in spread_over(len(scans))],
        batch_size=config.optimiser.batch_size,
    )
    return fit_detail(module, batches, stage)


def _strategy(config: TrainConfig) -> str:
    """One process a device, whose gradients are averaged; or none of that."""
    if config.devices * config.nodes == 1:
        return "auto"
    # Without sites their embedding is not used, and gets no gradient.
    return "ddp" if config.network.conditional else "ddp_find_unused_parameters_true"


def _batches(
    config: TrainConfig,
    module: DenoisingTraining,
    material: Material,
    stage: str,
    trainer: pl.Trainer,
) -> DataLoader[dict[str, Any]]:
    return loader(
        module.entries[stage],
        material.volumes,
        config,
        training=stage == "train",
        views=material.views,
        rank=trainer.global_rank,
        devices=trainer.world_size,
    )


def accelerator_of(device: str, precision: str = "32-true") -> str:
    """Lightning's name for a device.

    Raises:
        UserError: No such device here, or float16 on a CPU, where Lightning would
            take bfloat16 instead.
    """
    known = {"auto": "auto", "cpu": "cpu", "cuda": "gpu", "gpu": "gpu", "mps": "mps"}
    if device not in known:
        raise UserError(f"--device {device}: must be one of {', '.join(known)}.")
    if device != "auto":
        check_device("cuda" if known[device] == "gpu" else device)
    has_gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
    if precision == "16-mixed" and (device == "cpu" or not has_gpu):
        raise UserError(
            "precision: 16-mixed needs a GPU, and this run is on the CPU. "
            "Choose bf16-mixed or 32-true."
        )
    return known[device]
