"""The version of medvae, for files that say what made them."""

__version__ = "0.1.0"


def software() -> dict[str, str]:
    """Versions of what a result depends on.

    Example:
        >>> sorted(software())
        ['medvae', 'monai', 'numpy', 'python', 'torch']
    """
    import platform  # here, because most commands need neither
    from importlib.metadata import version

    found = {name: version(name) for name in ("torch", "numpy", "monai")}
    return {"medvae": __version__, "python": platform.python_version(), **found}
