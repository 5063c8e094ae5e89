"""Words of commands that are done in a second or two."""

SMALL = "grid.shape=[16,16,16] grid.spacing_mm=[12,12,12] network.channels=[2,4]"
TINY = f"{SMALL} network.latent_channels=1 optimiser.epochs=1 optimiser.batch_size=2"

FEW = ("--subjects", "3", "--travelers", "1", "--voxel-scale", "5")


def settings_of(text):
    return [word for one in text.split() for word in ("--set", one)]
