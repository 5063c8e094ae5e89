"""config schema and config show: what medvae train can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medvae.cli.console import emit_json, say
from medvae.cli.outcome import AsJson
from medvae.errors import UserError
from medvae.files import refuse_unlike

group = typer.Typer(
    no_args_is_help=True, help="The settings of a training run: schema, resolved."
)


@group.command("schema")
def schema(
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="File; else it is printed.")
    ] = None,
) -> None:
    """Write the JSON Schema of a configuration, which editors complete and check with.

    The first line of a YAML file names it for most editors:
    # yaml-language-server: $schema=train.schema.json

    Example: medvae config schema -o train.schema.json
    """
    refuse_unlike(out, ".json")
    from medvae.files import write_json
    from medvae.training.config import json_schema

    content = json_schema()
    if out is None:
        emit_json(content)
        return
    _refuse_all_but_schemas(out, content["title"])
    write_json(out, content)
    say(f"written to {out}")


@group.command("show")
def show(
    config: Annotated[Path | None, typer.Option(help="YAML with settings.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override one setting: optimiser.epochs=20."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Show every setting as a run would take it: defaults, then file, then --set.

    Example: medvae config show --set optimiser.epochs=20
    """
    import yaml

    from medvae.training.config import load_config

    content = load_config(config, set_ or ()).model_dump(mode="json")
    if json:
        emit_json(content)
    else:
        for line in yaml.safe_dump(content, sort_keys=False).splitlines():
            say(line)


def _refuse_all_but_schemas(path: Path, title: str) -> None:
    """Refuse to write over what holds no schema of that title, of whatever version."""
    from medvae.inputs import is_there, read_json

    if not is_there(path):
        return
    try:
        before = read_json(path)
    except (OSError, ValueError, UserError):
        before = None
    if not isinstance(before, dict) or before.get("title") != title:
        raise UserError(
            f"{path} is there and holds no schema. Choose another file with -o, or "
            "remove it."
        )
