"""Mutants of a source file, by the operators of mutmut."""

from __future__ import annotations

import ast
import difflib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

NEEDED = (
    "mutants are made by mutmut, which is not installed and no dependency. "
    "Install it beside the project: python -m pip install mutmut==3.8.1"
)


@dataclass(frozen=True)
class Mutant:
    """One change of one function.

    Args:
        name: ``file:function:number``, the same in every run over the same source.
        path: Of the file, from the root of the project.
    """

    name: str
    path: str
    module: Any
    change: Any

    @cached_property
    def source(self) -> str:
        """The whole file with the change in it."""
        change = self.change
        code: str = self.module.deep_replace(
            change.original_node, change.mutated_node
        ).code
        return code

    @cached_property
    def lines(self) -> list[str]:
        """Removed and added lines of the change, as a diff shows them."""
        before, after = self.module.code.splitlines(), self.source.splitlines()
        found = difflib.unified_diff(before, after, n=0, lineterm="")
        return [line for line in list(found)[2:] if line[:1] in "-+"]

    @cached_property
    def place(self) -> range:
        """Numbers of the lines of the smallest statement that is changed."""
        before, after = self.module.code.splitlines(), self.source.splitlines()
        matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
        blocks = [b for b in matcher.get_opcodes() if b[0] != "equal"]
        first, last = blocks[0][1] + 1, max(blocks[-1][2], blocks[0][1] + 1)
        return _statement(self.module.code, first, last)


def mutants_of(root: Path, path: str) -> Iterator[Mutant]:
    """Every mutant of a file that mutmut knows, in the order of the source."""
    import libcst as cst
    from libcst.metadata import MetadataWrapper
    from mutmut.mutation.file_mutation import MutationVisitor
    from mutmut.mutation.mutators import mutation_operators
    from mutmut.mutation.pragma_handling import IgnoredCode

    # Not create_mutations, which wants a configuration file of mutmut's own.
    visitor = MutationVisitor(mutation_operators, IgnoredCode(set(), set(), set()))
    code = (root / path).read_text(encoding="utf-8")
    module = MetadataWrapper(cst.parse_module(code)).visit(visitor)
    owners = _owners(module, cst)
    count: Counter[str] = Counter()
    for change in visitor.mutations:
        function = owners.get(id(change.contained_by_top_level_function))
        if function is None:  # module and class level: mutmut leaves it alone
            continue
        count[function] += 1
        yield Mutant(f"{path}:{function}:{count[function]}", path, module, change)


def _owners(module: Any, cst: Any) -> dict[int, str]:  # noqa: ANN401 (libcst)
    """Names of top-level functions and of methods, by their node."""
    found = {}
    for node in module.body:
        if isinstance(node, cst.FunctionDef):
            found[id(node)] = node.name.value
        elif isinstance(node, cst.ClassDef):
            for method in node.body.body:
                if isinstance(method, cst.FunctionDef):
                    found[id(method)] = f"{node.name.value}.{method.name.value}"
    return found


def _statement(code: str, first: int, last: int) -> range:
    """Lines of the smallest statement around some lines; heads without their bodies.

    The head of a function is run at import: for it, the lines of the whole function.
    """
    best = range(1, len(code.splitlines()) + 1)
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.stmt | ast.ExceptHandler):
            continue
        end = node.end_lineno or node.lineno
        body = getattr(node, "body", None)
        is_function = isinstance(node, ast.FunctionDef | ast.ClassDef)
        if body and not is_function and last < body[0].lineno:
            end = body[0].lineno - 1
        if node.lineno <= first and last <= end and end - node.lineno < len(best):
            best = range(node.lineno, end + 1)
    return best
