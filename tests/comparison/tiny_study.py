"""A comparison small enough for tests: two training sites, one unseen, two epochs."""

from contextlib import contextmanager

from medvae.comparison.plan import Plan
from medvae.comparison.run import open_data, run_comparison

TRAIN = {
    "device": "cpu",
    "grid": {"shape": [24, 28, 24], "spacing_mm": [8.0, 8.0, 8.0]},
    "network": {"channels": [4, 8], "latent_channels": 2},
    "objective": {"corruptions": 1},
    "optimiser": {"epochs": 2, "learning_rate": 0.002},
}
PHANTOM = {
    "sites": ["NYU", "UM_1", "STANFORD"],
    "subjects": 10,
    "travelers": 3,
    "voxel_scale": 4.0,
}
ARMS = (
    {"name": "none", "noise": "none"},
    {"name": "gaussian", "noise": "gaussian"},
    {"name": "scanner", "noise": "scanner"},
    {"name": "oracle", "noise": "oracle"},
)


def tiny_plan(arms=ARMS, **changes):
    content = {
        "phantom": PHANTOM,
        "held_out": ["STANFORD"],
        "seeds": 1,
        "train": TRAIN,
        "arms": list(arms),
        "energy_scans": 4,
        "permutations": 5,
    }
    return Plan.model_validate(content | changes)


@contextmanager
def no_bar(title):
    yield lambda done, total, label: None


def compare(plan, out, *, cohort=None, cache=None, say=None, jobs=1):
    cohort = cohort or open_data(plan, None, out, jobs, no_bar)
    return run_comparison(
        plan,
        cohort,
        out,
        cache=cache or out / "cache",
        jobs=jobs,
        command="medvae compare",
        say=say or (lambda text: None),
        bar=no_bar,
    )
