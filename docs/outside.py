"""Lets pages link to results that live outside docs/, as they do on the repository."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

LINK = re.compile(r"\]\(\.\./(benchmarks/[\w./-]+)\)")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Bring every linked file into the site."""
    root = Path(config.config_file_path).parent
    for page in list(files.documentation_pages()):
        for name in LINK.findall(page.content_string):
            if not files.get_file_from_path(name):
                source = str(root / name)
                files.append(File.generated(config, name, abs_src_path=source))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:  # noqa: ANN401 (mkdocs' own)
    """Point the links to where the files are now."""
    return LINK.sub(r"](\1)", markdown)
