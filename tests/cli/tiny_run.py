"""A command line that is called in this process, and settings of seconds."""

from typer.testing import CliRunner

from medvae.cli.app import app

SMALL = [
    "--set",
    "grid.shape=[24,32,24]",
    "--set",
    "grid.spacing_mm=[8,8,8]",
    "--set",
    "network.channels=[4,8]",
    "--set",
    "network.latent_channels=2",
    "--set",
    "optimiser.epochs=2",
    "--device",
    "cpu",
    "--jobs",
    "1",
]


def run(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
