"""What every verb that reads a cohort is told, and does first: read, check, refuse."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medvae.cli.console import progress_bar, say, warn
from medvae.cli.hints import data_of
from medvae.errors import UserError
from medvae.inputs import is_there
from noise_models.registry import suggest

if TYPE_CHECKING:
    from medvae.cohort import Cohort

Data = Annotated[Path | None, typer.Option(help="Scans; by default ./medvae.yaml.")]
SiteFrom = Annotated[str | None, typer.Option(help="Where the site is.")]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave unusable scans out, and say so.")
]
Cache = Annotated[Path | None, typer.Option(help="Where prepared volumes are kept.")]


def open_cohort(
    data: Path | None, site_from: str | None = None, *, skip_bad: bool = False
) -> Cohort:
    """Read and check a cohort; by default the one ``medvae.yaml`` here names."""
    from medvae.cohort import examined_cohort, without_bad

    path = data or Path("medvae.yaml")
    with progress_bar("Checking") as progress:
        found = examined_cohort(path, site_from, progress=progress)
    return without_bad(found.cohort, skip_bad)


def check_known(sites: Sequence[str], data: Path | None, site_from: str | None) -> None:
    """Refuse data that is not there, or lacks sites, before anything heavy is loaded.

    Args:
        sites: Those that are held out.
        data: Scans; by default ./medvae.yaml.
        site_from: Where the site is.

    Raises:
        UserError: Names what is missing, and the sites there are.
    """
    path = data or Path("medvae.yaml")
    if not sites and is_there(path):
        return
    from medvae.cohort import read_cohort

    refuse_unknown(sites, list(read_cohort(path, site_from).sites))


def refuse_unknown(sites: Sequence[str], known: Sequence[str]) -> None:
    """Refuse held-out sites that are not among those ``known``.

    Raises:
        UserError: Names the sites there are.
    """
    for site in sites:
        if site not in known:
            raise UserError(f"--held-out {site}: no such site; {suggest(site, known)}")


def show_left_out(cohort: Cohort, *, one_site_will_do: bool = False) -> None:
    """Say what ``--skip-bad`` left out and what is unusual."""
    from medvae.cohort.check import few_sites

    usual = {*few_sites(cohort)} if one_site_will_do else set()
    for problem in cohort.problems:
        if problem not in usual:
            warn(str(problem))


def site_scans(
    sites: list[str], data: Path | None, site_from: str | None, *, skip_bad: bool
) -> Cohort:
    """The scans of several sites, each a directory or a label of ``data``.

    Raises:
        UserError: Fewer than two sites, or one that is neither.
    """
    from medvae.cohort import check_cohort
    from medvae.cohort.reader import read_site_folders

    if len(set(sites)) < 2:
        raise UserError(f"two different sites are needed, got {', '.join(sites)}.")
    if data is None and all(Path(site).is_dir() for site in sites):
        _check_names(sites)
        found = read_site_folders([Path(site) for site in sites])
        with progress_bar("Checking") as progress:
            return check_cohort(found, skip_bad=skip_bad, progress=progress)
    found = open_cohort(data, site_from, skip_bad=skip_bad)
    unknown = [site for site in sites if site not in found.sites]
    if unknown:
        raise UserError(
            f"{unknown[0]}: neither a directory nor a site of {found.root}; "
            f"{suggest(unknown[0], found.sites)}"
        )
    return found.without_sites([site for site in found.sites if site not in sites])


def _check_names(folders: Sequence[str]) -> None:
    """Refuse folders of one name: each is the site that it is called by."""
    seen: dict[str, str] = {}
    for folder in folders:
        name = Path(folder).resolve().name
        if name in seen:
            raise UserError(
                f"{seen[name]} and {folder}: both are called {name!r}, and a folder's "
                "name is its site. Rename one, or give a table with --data."
            )
        seen[name] = folder


def other_sites(
    sites: list[str], data: Path | None, site_from: str | None
) -> list[str]:
    """Sites of the data that were not asked for.

    Where folders were named, those beside them: training reads the folder above.
    """
    from medvae.cohort import read_cohort

    if data is None and all(Path(site).is_dir() for site in sites):
        named = {Path(site).resolve().name for site in sites}
        try:
            beside = read_cohort(data_of(sites, None) or "").sites
        except UserError:  # folders of different places, or nothing to train on there
            return []
        return [site for site in beside if site not in named]
    found = read_cohort(data or Path("medvae.yaml"), site_from).sites
    return [site for site in found if site not in sites]


def residents_of(cohort: Cohort) -> Cohort:
    """Without the travelers, who are the test's ground truth; says how many.

    Raises:
        UserError: A site has fewer than two scans without them.
    """
    from medvae.cohort.people import REMEDY, named

    travelers = cohort.travelers()
    rest = cohort.without_subjects(travelers)
    thin = [site for site in cohort.sites if len(rest.at(site)) < 2]
    if thin and travelers:
        raise UserError(
            f"{thin[0]}: fewer than two scans without the people at several sites "
            f"({named(sorted(travelers))}). {REMEDY} If they are the same, fit on them "
            "too with --with-travelers."
        )
    if travelers:
        say(f"{len(travelers)} people seen at several sites are left for the test.")
    return rest


def show_travelers(cohort: Cohort) -> None:
    """Say how many people a paired fit compares; they are no test any more."""
    count = len(cohort.travelers())
    say(
        f"{count} people seen at several sites are compared, scan by scan. "
        "A run that uses this fit must not be tested on them."
    )
