"""Do the tests notice when the code is wrong? A random sample of mutants says.

    python benchmarks/mutants.py --sample 200 --minutes 35     # results/mutants.json
    python benchmarks/mutants.py --again                       # survivors, new tests
    python benchmarks/mutants.py --part scanner --sample 100 --slowest 10

mutmut makes the mutants (no dependency: python -m pip install mutmut==3.8.1). Each is
put into a copy of the sources, and the tests that run the changed statement, quickest
first, are run in a fork of a process that has torch loaded, until one fails. A run that
was stopped goes on where it was; any beginning of the sample is a random sample, too.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import json
import random
import resource
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from mutant_parts.making import NEEDED, Mutant, mutants_of
from mutant_parts.reach import Reach, enter, measure
from mutant_parts.score import FOUND, Row, summary
from mutant_parts.trial import forked, try_mutant

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "results" / "mutants.json"
WORK = ROOT / "build" / "mutants"
COPIED = ("noise_models", "medvae", "configs", "tests", "pyproject.toml")
LOADED = ("torch", "monai.networks.blocks", "nibabel", "scipy.stats", "pydantic",
          "hypothesis", "pytest", "sklearn", "joblib", "yaml", "coverage")  # fmt: skip
"""Loaded before the forks: all that imports nothing of ours."""


@dataclass(frozen=True)
class Part:
    """Sources that are changed, and the tests that should notice.

    Args:
        sources: Patterns below the root; their doctests are tests, too.
        tests: Files and folders.
    """

    sources: tuple[str, ...]
    tests: tuple[str, ...]

    def files(self) -> list[str]:
        """Paths of the sources, from the root."""
        found = {path for pattern in self.sources for path in ROOT.glob(pattern)}
        return sorted(path.relative_to(ROOT).as_posix() for path in found)

    def test_files(self) -> list[str]:
        """Files of tests, from the root."""
        places = [ROOT / place for place in self.tests]
        found = [
            f for p in places for f in ([p] if p.is_file() else p.rglob("test_*.py"))
        ]
        return sorted(path.relative_to(ROOT).as_posix() for path in found)


PARTS = {
    "simple": Part(
        ("noise_models/*.py", "medvae/model/objective/*.py"),
        ("tests/noise", "tests/model", "tests/test_noise_contract.py"),
    ),
    "scanner": Part(
        ("noise_models/scanner/**/*.py",),
        ("tests/noise_models_scanner", "tests/test_noise_contract.py"),
    ),
}  # fmt: skip


def copy_sources(to: Path) -> None:
    """A fresh copy to put mutants into."""
    shutil.rmtree(to, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, to / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, to / name)


def digest_of(files: Any) -> str:  # noqa: ANN401 (any iterable of paths)
    """SHA-256 of the content of some files."""
    found = hashlib.sha256()
    for path in sorted(files):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()


def reach_of(part: Part, tree: Path, work: Path, slowest: float) -> Reach:
    """What the tests reach, from one run of each file of them without any mutant.

    Kept by the content of that file and of all that is no test: what was measured once
    is not measured again.

    Raises:
        SystemExit: They do not pass as they are.
    """
    reach = Reach()
    rest = {path for path in tree.rglob("*") if path.name[:5] != "test_"}
    for tests in [part.files(), *([file] for file in part.test_files())]:
        key = content_of(tree, rest | {tree / test for test in tests})
        kept = work / f"reach-{Path(tests[0]).stem}-{key}.json"
        if not (kept.exists() and Reach.read(kept).holds_for(slowest)):
            _measured(part, tree, tests, slowest, kept)
        reach.add(Reach.read(kept))
    return reach


def _measured(
    part: Part, tree: Path, tests: Sequence[str], slowest: float, kept: Path
) -> None:
    def work() -> int:
        enter(tree)
        return measure(tree, tests, part.files(), slowest, kept)

    log = kept.with_suffix(".log")
    if code := forked(work, log):
        sys.exit(f"the tests fail without any mutant (exit {code}); see {log}")
    print(f"{kept.name}: {_minutes():.1f} min so far", flush=True)


def content_of(tree: Path, paths: Iterable[Path]) -> str:
    """A few digits that change with the content of files, compiled ones left out."""
    files = sorted(p for p in paths if p.is_file() and p.suffix != ".pyc")
    names = "".join(p.relative_to(tree).as_posix() for p in files)
    return hashlib.sha256(f"{names} {digest_of(files)}".encode()).hexdigest()[:12]


def try_one(mutant: Mutant, tree: Path, reach: Reach, log: Path) -> Row:
    """Put a mutant into the tree, run the tests that reach it, take it out again."""
    tests = reach.tests(mutant.path, mutant.place)
    if not tests:
        return Row("survived", 0.0, 0, mutant.lines)
    file = tree / mutant.path
    file.write_text(mutant.source, encoding="utf-8")
    try:
        found = try_mutant(tree, tests, reach, log)
    finally:
        file.write_text(mutant.module.code, encoding="utf-8")
    shown = () if found.word == "killed" else mutant.lines
    return Row(found.word, found.seconds, len(tests), shown)


def control(tree: Path, reach: Reach, kept: Path, log: Path) -> None:
    """The same as for a mutant, with none: all must pass, the quickest first.

    Raises:
        SystemExit: They do not.
    """
    if kept.exists():
        return
    tests = reach.used()
    found = try_mutant(tree, tests, reach, log, is_mutant=False)
    if found.word != "survived":
        sys.exit(f"without any mutant: {found.word}; see {log}")
    told = f"{len(tests)} tests pass unchanged in {found.seconds} s"
    print(f"{told}; {len(reach.slow)} are slow and left out", flush=True)
    kept.touch()


def run_part(name: str, given: argparse.Namespace, known: dict[str, Any]) -> None:
    """Try what is left of a part's sample, or its survivors again."""
    part, tree = PARTS[name], given.work / name
    copy_sources(tree)
    mutants = {
        mutant.name: mutant
        for path in part.files()
        for mutant in mutants_of(ROOT, path)
    }
    sources = digest_of(ROOT / path for path in part.files())
    if known and known["sources_sha256"] != sources:
        sys.exit(
            f"{given.out}: {name} was of other sources. Name another file with -o."
        )
    names = random.Random(given.seed).sample(sorted(mutants), len(mutants))
    rows = {n: Row(**row) for n, row in known.get("rows", {}).items()}
    if given.again:
        todo = [n for n, row in rows.items() if row.word not in FOUND]
    else:
        todo = [n for n in names[: given.sample] if n not in rows]
    print(f"{name}: {len(mutants)} mutants, {len(todo)} to try", flush=True)
    key = f"{content_of(tree, tree.rglob('*'))}-{given.slowest:g}"
    reach = reach_of(part, tree, given.work, given.slowest)
    log = given.work / f"{name}.log"
    control(tree, reach, given.work / f"{name}-{key}.passed", log)
    for one in todo:
        if _minutes() > given.minutes:
            break
        row = try_one(mutants[one], tree, reach, log)
        if given.again:
            row.was = rows[one].was or rows[one].word
        rows[one] = row
        print(f"{len(rows)} {row.word} {row.seconds} s {one}", flush=True)
        head = {"seed": given.seed, "mutants": len(mutants), "sources_sha256": sources}
        write(given, name, head | summary(rows) | {"rows": _plain(rows)})


def _plain(rows: dict[str, Row]) -> dict[str, Any]:
    return {
        name: {
            key: value for key, value in asdict(row).items() if value not in ((), None)
        }
        for name, row in rows.items()
    }


def _minutes() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (spent.ru_utime + spent.ru_stime) / 60


def write(given: argparse.Namespace, name: str, found: dict[str, Any]) -> None:
    """What is known so far; other parts are kept."""
    parts = _known(given.out)
    content = {
        "command": "python benchmarks/mutants.py",
        "mutmut": metadata.version("mutmut"),
        "parts": parts | {name: found},
    }
    partial = given.out.with_suffix(".part")
    partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    partial.replace(given.out)


def _known(path: Path) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    if path.exists():
        parts = json.loads(path.read_text(encoding="utf-8"))["parts"]
    return parts


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=PARTS, default="simple")
    parser.add_argument("--sample", type=int, default=200, help="Mutants to try.")
    parser.add_argument("--minutes", type=float, default=35, help="Of processor time.")
    parser.add_argument("--slowest", type=float, default=60, help="Seconds of a test.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true", help="Survivors, once more.")
    parser.add_argument("--work", type=Path, default=WORK, help="Folder for copies.")
    parser.add_argument("-o", "--out", type=Path, default=RESULT)
    given = parser.parse_args(arguments)
    given.work = given.work.resolve()
    if importlib.util.find_spec("mutmut") is None:
        sys.exit(NEEDED)
    for name in LOADED:
        importlib.import_module(name)
    import torch

    torch.set_num_threads(1)
    known = _known(given.out).get(given.part, {})
    if known and known["seed"] != given.seed:
        sys.exit(f"{given.out}: was of seed {known['seed']}. Name another with -o.")
    run_part(given.part, given, known)


if __name__ == "__main__":
    main()
