"""Many scans to a folder of codes: read ahead, resumable, shared between processes.

OUT/index.tsv                  a row per scan: its labels, its row in latents.npy
OUT/latents.npy                float32, (scans, features), memory-mappable
OUT/dataset_description.json   a BIDS derivative
OUT/provenance.json            the command, versions, the digest of the weights
OUT/sub-X/.../*_latent.*       maps and JSON of each scan (OUT/ itself for other names)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from medvae.cohort import Scan
from medvae.cohort.labels import is_writable
from medvae.encoding.derivative import describe, links, refuse_others, source_of
from medvae.encoding.earlier import Earlier
from medvae.encoding.encoder import Encoder
from medvae.encoding.latent import Latent
from medvae.encoding.latent_file import finished_digest, write_latent
from medvae.encoding.reading import NO_ROOM, Arrival, Cover, read_ahead
from medvae.encoding.table import Row, write_table
from medvae.encoding.told import in_code
from medvae.errors import UserError
from medvae.lock import sole_writer
from medvae.memory import lacks_memory

Thing = TypeVar("Thing")
Progress = Callable[[int, int, str], object]


@dataclass(frozen=True)
class Item:
    """A scan to encode, and what is known of it."""

    path: Path
    subject: str | None = None
    site: str | None = None
    session: str | None = None
    more: Mapping[str, str] = field(default_factory=dict, hash=False)
    mask: Path | None = None

    @classmethod
    def of(cls, scan: Scan) -> Item:
        """A scan of a cohort; ``more`` is its age, sex and other columns.

        Example:
            >>> from medvae.cohort import Scan
            >>> Item.of(Scan(Path("a.nii"), "01", "NYU", age=34.5)).more
            {'age': '34.5'}
        """
        age = None if scan.age is None else f"{scan.age:.10g}"
        known = {"age": age, "sex": scan.sex, "split": scan.split}
        more = {name: told for name, told in known.items() if told is not None}
        rest = {**more, **scan.covariates}
        labels = (scan.subject, scan.site, scan.session)
        return cls(scan.path, *labels, rest, scan.mask)


@dataclass(frozen=True)
class Share:
    """Which process this is, of how many that encode one list.

    Example:
        >>> Share(1, 3).of([0, 1, 2, 3, 4])
        [1, 4]
    """

    rank: int = 0
    world: int = 1

    @classmethod
    def here(cls, environ: Mapping[str, str] | None = None) -> Share:
        """This process as torchrun, or an srun step, has numbered it.

        Raises:
            UserError: The two variables do not fit each other.
        """
        known = os.environ if environ is None else environ
        for rank, world in (
            ("RANK", "WORLD_SIZE"),
            ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
        ):
            if rank in known and world in known:
                try:
                    share = cls(int(known[rank]), int(known[world]))
                except ValueError:
                    share = cls(0, 0)
                if not 0 <= share.rank < share.world:
                    raise UserError(
                        f"{rank}={known[rank]} and {world}={known[world]} must satisfy "
                        f"0 <= {rank} < {world}. Unset both, or start with torchrun."
                    )
                return share
        return cls()

    def of(self, things: Sequence[Thing]) -> list[Thing]:
        """This process's part: every ``world``-th thing."""
        return list(things[self.rank :: self.world])


def encode_folder(
    encoder: Encoder,
    items: Sequence[Item],
    out: Path,
    *,
    batch_size: int = 4,
    jobs: int = 0,
    cover: Cover = "head",
    share: Share | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> list[str]:
    """Encode scans into ``out``; scans that are already there are skipped.

    Codes of scans that have changed, damaged ones, and those of the same scans by other
    weights are made anew. Rows of other scans from earlier calls stay while their codes
    are whole. Several processes may be given the same list: each takes its share, and
    the one that ends last has written the table of all.

    Args:
        encoder: The model.
        items: The scans.
        out: Folder to write.
        batch_size: Scans that go through the network together.
        jobs: Processes that read scans ahead; 0 reads between batches.
        cover: See :meth:`Encoder.encode`.
        share: Which part of the list is this process's; by default all of it.
        command: That asked for it, for the record.
        progress: Called with (done, total, name).

    Returns:
        One message for every scan that could not be encoded; the others are done.

    Raises:
        UserError: ``out`` holds a table or description of something else, the code of
            another scan with the same file name, or other scans' by other weights.
    """
    mine = share or Share()
    # Processes that share a list each write files of their own; one alone holds it all.
    with sole_writer(out) if mine.world == 1 else nullcontext():
        return _encode_share(
            encoder,
            items,
            out,
            mine,
            batch_size=batch_size,
            jobs=jobs,
            cover=cover,
            command=command,
            progress=progress,
        )


def check_folder(out: Path, items: Sequence[Item]) -> tuple[Earlier, list[Row]]:
    """Refuse a folder of others, or with codes of other scans of the same file names.

    Returns:
        What the folder holds, and what each scan will be called in it.

    Raises:
        UserError: Names the file and the remedy.

    Example:
        >>> _, rows = check_folder(Path("no folder yet"), [Item(Path("a.nii.gz"))])
        >>> rows[0].name
        'a'
    """
    refuse_others(out)
    earlier = Earlier.read(out)
    paths = [item.path for item in items]
    named = earlier.named(paths)
    earlier.check_originals(paths, [target for _, target in named])
    labels = [(i.subject, i.site, i.session) for i in items]
    for path, told in zip(paths, labels, strict=True):
        if not all(is_writable(label) for label in told if label is not None):
            raise UserError(f"{path}: no table can hold its labels, {told}. Mend them.")
    return earlier, [
        Row(name, path, label, target)
        for (name, target), path, label in zip(named, paths, labels, strict=True)
    ]


def _encode_share(
    encoder: Encoder,
    items: Sequence[Item],
    out: Path,
    share: Share,
    *,
    batch_size: int,
    jobs: int,
    cover: Cover,
    command: str,
    progress: Progress | None,
) -> list[str]:
    model, paths = encoder.model_digest, [item.path for item in items]
    earlier, rows = check_folder(out, items)
    earlier.check_made_with(paths, [row.target for row in rows], model, cover)
    known, before, mine = links(paths, out), earlier.by_target, share.of(rows)
    marks = [finished_digest(row.target, model, cover) for row in mine]
    arrivals = read_ahead(
        [row.path for row in mine],
        encoder.grid,
        jobs=jobs,
        ahead=batch_size,
        reach=encoder.reach(cover),
        known=whole_batches(marks, batch_size),
        masks=share.of([item.mask for item in items]),
    )
    problems: list[str] = []
    is_any_there = False
    coded = zip(
        mine, marks, encode_arrivals(encoder, arrivals, batch_size), strict=True
    )
    for done, (row, mark, (arrived, latent)) in enumerate(coded, start=1):
        if arrived.problem:
            problems.append(arrived.problem)
        elif not is_any_there:
            is_any_there = True
            out.mkdir(parents=True, exist_ok=True)
            describe(out, known, model, command)
        if latent is not None and mark != arrived.digest:
            told = row.cells(out, arrived.digest or "", model, before.get(row.target))
            source = source_of(row.path, known)
            write_latent(row.target, latent, source, cover, in_code(told))
        if progress:
            progress(done, len(mine), row.path.name)
    if is_any_there:
        write_table(out, rows, model, cover)
    return problems


def whole_batches(marks: Sequence[str | None], size: int) -> list[str | None]:
    """The marks of batches of which every code is there.

    A batch with one code missing is encoded whole: the last bits of a code depend on
    its batch, and going on must end like never having stopped.
    """
    kept: list[str | None] = []
    for start in range(0, len(marks), size):
        batch = marks[start : start + size]
        kept += batch if all(batch) else [None] * len(batch)
    return kept


def encode_arrivals(
    encoder: Encoder, arrivals: Iterable[Arrival], batch_size: int
) -> Iterator[tuple[Arrival, Latent | None]]:
    """Codes of scans that were read, in order; None for those that were not prepared.

    Holds one batch.
    """
    held: list[Arrival] = []
    for arrived in arrivals:
        held.append(arrived)
        if len(held) == batch_size:
            yield from _encoded(encoder, held)
            held = []
    yield from _encoded(encoder, held)


def _encoded(
    encoder: Encoder, held: Sequence[Arrival]
) -> Iterator[tuple[Arrival, Latent | None]]:
    ready = [arrived for arrived in held if arrived.prepared is not None]
    codes: Iterator[Latent | UserError] = iter(_codes(encoder, ready))
    for arrived in held:
        code = next(codes) if arrived.prepared is not None else None
        if isinstance(code, UserError):
            yield replace(arrived, problem=str(code)), None
        else:
            yield arrived, code


def _codes(encoder: Encoder, ready: list[Arrival]) -> list[Latent | UserError]:
    """Codes of a batch; where it fails, each scan is tried alone to find which."""
    if not ready:
        return []
    try:
        return [*encoder.encode_read(ready)]
    except (UserError, MemoryError, RuntimeError) as error:
        if not (isinstance(error, UserError) or lacks_memory(error)):
            raise
        if len(ready) > 1:
            return [code for one in ready for code in _codes(encoder, [one])]
        if isinstance(error, UserError):
            return [error]
        return [UserError(f"{ready[0].name}: out of memory. {NO_ROOM}")]
