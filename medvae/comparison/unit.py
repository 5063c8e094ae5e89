"""One arm, one seed: train, choose, evaluate, score; done once, marked when done."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from medvae.comparison.claim import check_mark, mark_of
from medvae.comparison.finished import Finished, read_finished
from medvae.comparison.plan import UNTRAINED, Arm
from medvae.comparison.scores import read_scores, score
from medvae.comparison.selection import Validation, choose, validate
from medvae.comparison.stage import Stage
from medvae.encoding.axes import read_axes
from medvae.encoding.encoder import Encoder
from medvae.evaluation.baselines.axes import AxesEncoder
from medvae.evaluation.baselines.combat import fit_combat
from medvae.evaluation.baselines.nyul import MatchedEncoder
from medvae.evaluation.baselines.pca import fit_pca
from medvae.evaluation.copies import fit_person_axes
from medvae.evaluation.latents import EncoderLike
from medvae.evaluation.protocol import ask, open_setting
from medvae.evaluation.questions.setting import Setting
from medvae.evaluation.result import Evaluation, read_evaluation
from medvae.files import digest, write_json
from medvae.training.config import TrainConfig
from medvae.training.run import network_of, train
from medvae.training.run_folder import MACHINERY
from medvae.training.seal import SEAL
from noise_models.base import NoiseModel

FORMAT = 4  # of what a finished unit holds


@dataclass(frozen=True)
class Unit:
    """One arm with one seed, and where it is kept."""

    arm: Arm
    stage: Stage

    @property
    def folder(self) -> Path:
        """Its own folder."""
        return self.stage.out / "arms" / self.arm.name / f"seed-{self.stage.seed}"

    def at(self, choice: int) -> Path:
        """The folder of one setting."""
        return self.folder if len(self.arm.settings) == 1 else self.folder / str(choice)

    def config(self, choice: int) -> TrainConfig:
        """The training settings of one setting."""
        return self.stage.plan.training(self.arm, choice, self.stage.seed)

    def digest(self) -> str:
        """Changes with everything that decides the result, and with nothing else."""
        of = {"of": self.other.digest()} if self.arm.of else {}
        apart = None if of else {"of", "axes"}
        arm = self.arm.model_dump(mode="json", exclude=apart) | of
        configs = [
            described(self.config(k).model_copy(update=MACHINERY))
            for k in range(len(self.arm.settings))
        ]
        plan = self.stage.plan
        content = {
            "format": FORMAT,
            "arm": arm,
            "configs": configs,
            "scans": self.stage.content,
            "energy_scans": plan.energy_scans,
            "permutations": plan.permutations,
            "matched": any(a.noise == "scanner" for a in plan.arms),
        }
        if self.arm.regime == "many":
            content["fit_only"] = self.stage.fit_only_content
        if (preset := _preset_digest(self.arm)) is not None:
            content["noise"] = preset
        return mark_of(content)

    @property
    def other(self) -> Unit:
        """The unit whose codes this one reads."""
        return Unit(self.stage.plan.arm(self.arm.of), self.stage)

    def is_done(self) -> bool:
        """Whether it was finished with these settings and these scans.

        Raises:
            UserError: It was finished with others.
        """
        return check_mark(self.folder / "done.json", self.digest())

    def finished(self) -> Finished:
        """What is known of a finished unit: choice, energy, validation."""
        return read_finished(self.folder / "done.json")

    def evaluation(self) -> Evaluation:
        """Of the setting that was chosen."""
        return read_evaluation(self.at(self.finished().choice) / "evaluation.json")

    def weights_digest(self) -> str | None:
        """SHA-256 of the chosen network's weights; None for an arm without any."""
        path = self.at(self.finished().choice) / "run" / "model.safetensors"
        return digest(path) if path.is_file() else None

    def scores(self) -> list[Any]:
        """Of the chosen setting, then of every setting."""
        every = [
            read_scores(self.at(k) / "scores.json")
            for k in range(len(self.arm.settings))
        ]
        chosen = every[self.finished().choice]
        return [chosen] if len(every) == 1 else [chosen, *every]


def run_unit(unit: Unit) -> None:
    """Do everything of a unit that is not done, then mark it."""
    stage, arm = unit.stage, unit.arm
    noise = stage.noise(arm)
    facts: dict[str, Any] = {"energy": None, "factor": None}
    if arm.baseline not in UNTRAINED:
        facts = _train(unit, noise)
    settings = {k: open_unit(unit, k) for k in range(len(arm.settings))}
    tried: dict[int, Validation] = {}
    choice = 0
    if len(settings) > 1:
        tried = {k: validate(s, stage.seed) for k, (s, _) in settings.items()}
        choice = choose(tried)
    for k, (setting, notes) in settings.items():
        evaluate_unit(unit, k, setting, notes)
    found = Finished(
        unit.digest(),
        choice,
        settings=[dict(s) for s in arm.settings],
        validation=tried,
        **facts,
    )
    write_json(unit.folder / "done.json", asdict(found))


def _train(unit: Unit, noise: NoiseModel) -> dict[str, Any]:
    """Train every setting; say how strong the corruption was."""
    stage, arm = unit.stage, unit.arm
    views = stage.views(arm)
    material = stage.material(noise, views)
    for k in range(len(arm.settings)):
        run = unit.at(k) / "run"
        if (run / SEAL).exists():  # the last that is written
            continue
        if run.exists() and not (run / "config.yaml").exists():
            shutil.rmtree(run)  # killed before training began
        title = f"{arm.name}, seed {stage.seed}"
        with stage.bar(title) as progress:
            train(
                unit.config(k),
                stage.cohort.without_sites(stage.plan.held_out),
                material,
                noise,
                run,
                resume=True,
                progress=progress,
            )
    strength = stage.energy_of(noise) if views is None else stage.views_energy(views)
    return {"energy": strength, "factor": stage.level_factor(arm)}


def open_unit(unit: Unit, choice: int) -> tuple[Setting, list[str]]:
    """Encode all scans by what the unit trained or fitted."""
    stage, arm = unit.stage, unit.arm
    held_out = stage.plan.held_out
    encoder = encoder_of(unit, choice)
    with stage.bar(f"Encoding ({arm.name}, seed {stage.seed})") as progress:
        setting, notes = open_setting(
            encoder,
            stage.prepared(),
            held_out=held_out,
            progress=progress,
            run=arm.name,
        )
    if arm.baseline == "combat":
        return corrected(setting, fitted=arm.regime == "fitted"), [
            *notes,
            "ComBat was fitted on training subjects' latents and told the site of "
            "every scan; of a site outside its fit it changes nothing.",
        ]
    if arm.baseline == "pca":
        notes.append(
            f"PCA keeps {setting.latents.mean.shape[1]} components: no more can be had "
            "from the training scans."
        )
    return setting, notes


def encoder_of(unit: Unit, choice: int) -> EncoderLike:
    """What a unit trained or fitted, ready to encode."""
    stage, arm = unit.stage, unit.arm
    if arm.baseline == "pca":
        parts = [
            [stage.store.image(i) for i in stage.learned(split)]
            for split in ("train", "validation")
        ]
        shape = network_of(unit.config(choice)).latent_shape
        count = 1
        for size in shape:
            count *= size
        return fit_pca(parts[0], parts[1], stage.store.grid, count)
    if arm.baseline == "combat":
        plain = next(
            a for a in stage.plan.arms if a.noise == "none" and a.baseline is None
        )
        return Encoder.load(Unit(plain, stage).at(0) / "run")
    if arm.baseline == "axes":
        return _along_axes(unit)
    encoder = Encoder.load(unit.at(choice) / "run")
    return (
        MatchedEncoder(encoder, stage.matching) if arm.baseline == "nyul" else encoder
    )


def _along_axes(unit: Unit) -> AxesEncoder:
    """The other arm's chosen encoder, read along axes.

    Arms that differ in how many they keep share the fit, which lies beside that arm.
    """
    stage, other = unit.stage, unit.other
    choice = other.finished().choice
    inner = encoder_of(other, choice)
    path = other.at(choice) / axes_name(unit.arm)
    if not path.exists():
        with stage.bar(f"Copying ({unit.arm.name}, seed {stage.seed})") as progress:
            fit_person_axes(
                inner,
                stage.learned(),
                stage.store,
                stage.noise(unit.arm),
                views=stage.views(unit.arm),
                seed=stage.seed,
                cache=stage.cache,
                jobs=stage.jobs,
                progress=progress,
            ).write(path)
    axes = read_axes(path).first(unit.arm.axes)
    return AxesEncoder(inner, axes, network_of(other.config(choice)).latent_shape)


def axes_name(arm: Arm) -> str:
    """What the file of axes is called: by all that its copies were corrupted with.

    Example:
        >>> axes_name(Arm(name="along", baseline="axes", of="none", noise="gaussian"))
        'axes-gaussian-unseen.safetensors'
    """
    parts = [Path(arm.noise).stem, arm.regime]
    if arm.dispersion != 1:
        parts.append(f"{arm.dispersion:g}")
    if (preset := _preset_digest(arm)) is not None:
        parts.append(preset[:12])
    return f"axes-{'-'.join(parts)}.safetensors"


def described(config: TrainConfig) -> dict[str, Any]:
    """As a mark has settings: those of arms finished earlier name no likelihood.

    Example:
        >>> "likelihood" in described(TrainConfig())["network"]
        False
    """
    is_older = config.network.likelihood == "gaussian"
    apart = {"network": {"likelihood"}} if is_older else None
    return config.model_dump(mode="json", exclude=apart)


def _preset_digest(arm: Arm) -> str | None:
    """SHA-256 of the file that holds an arm's corruption, if one does."""
    file = Path(arm.noise)
    is_preset = file.suffix in (".yaml", ".yml") and file.is_file()
    return digest(file) if is_preset else None


def corrected(setting: Setting, *, fitted: bool) -> Setting:
    """The same scans with latents that ComBat has corrected for their site.

    Args:
        setting: Of the arm without corruption.
        fitted: Whether unlabelled scans of the held-out sites' own people, who are no
            travelers, join the fit.
    """
    learned = setting.at(setting.seen, ["train"])
    if fitted:
        travelers = set(setting.travelers())
        learned += [
            i
            for i in setting.at(setting.held_out)
            if setting.scans[i].subject not in travelers
        ]
    z, sites = setting.latents, [scan.site for scan in setting.scans]
    model = fit_combat(z.mean[learned], setting.sites(learned))
    mean, std = model.apply(z.mean, sites), model.apply_spread(z.std, sites)
    return replace(setting, latents=replace(z, mean=mean, std=std))


def evaluate_unit(
    unit: Unit, choice: int, setting: Setting, notes: Sequence[str]
) -> None:
    """Answer every question and keep every person's scores."""
    stage, folder = unit.stage, unit.at(choice)
    if (folder / "scores.json").exists():
        return
    with stage.bar(f"Evaluating ({unit.arm.name}, seed {stage.seed})") as progress:
        found = ask(
            setting,
            notes,
            seed=stage.seed,
            progress=progress,
            run=unit.arm.name,
            permutations=stage.plan.permutations,
        )
    found.write(folder / "evaluation.json")
    score(setting, found.travelers, stage.seed).write(folder / "scores.json")
