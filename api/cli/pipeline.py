"""`diaba lidar pipeline`: a PDAL pipeline with its parameters filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import orjson

from api.cli.common import emit, json_option
from gis.errors import BadParameter


@click.command("pipeline")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("parameters", nargs=-1, metavar="[NAME=VALUE]...")
@click.option(
    "--in",
    "inputs",
    multiple=True,
    type=click.Path(path_type=Path),
    help="The parameter `in`; several files: give it again.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="The parameter `out`; the file appears whole or not at all."
)
@click.option(
    "--time-limit", type=click.FloatRange(min=0, min_open=True), default=3600.0, show_default=True, help="Seconds."
)
@json_option
def command(
    file: Path,
    parameters: tuple[str, ...],
    inputs: tuple[Path, ...],
    out: Path | None,
    time_limit: float,
    as_json: bool,
) -> None:
    """Run a PDAL pipeline: a JSON FILE, or the name of one in data/pipelines.

    A {name} in the document is filled in from NAME=VALUE; numbers, true and false keep their type.

    \b
    Examples:
      diaba lidar pipeline info --in tile.laz --json
      diaba lidar pipeline ground_smrf_after_noise --in tile.laz --out ground.laz
      diaba lidar pipeline text_to_laz --in points.txt --out points.laz separator=, crs=EPSG:9210+5727
    """
    from gis.files import written_whole
    from lidar.pdal import PipelineResult, load_pipeline, run_pipeline

    path = _document(file)
    values: dict[str, object] = dict(_named(text) for text in parameters)
    if inputs:
        values["in"] = inputs[0] if len(inputs) == 1 else list(inputs)

    def run(written: Path | None) -> PipelineResult:
        given = values if written is None else {**values, "out": written}
        return run_pipeline(load_pipeline(path), given, time_limit=time_limit)

    if out is None:
        result = run(None)
    else:
        with written_whole(out) as part:
            result = run(part)
    document = {
        "pipeline": str(path),
        "out": None if out is None else str(out),
        "seconds": round(result.seconds, 3),
        "warnings": list(result.warnings),
        "metadata": result.metadata,
    }
    emit(document, as_json, lambda: _print(document))


def _document(file: Path) -> Path:
    """The file itself, or the one of that name in data/pipelines."""
    from gis.errors import NotFound, UnreadableFile
    from gis.resources import resource

    if file.exists():
        return file
    if file.parent == Path():
        try:
            return resource("pipelines", f"{file.name.removesuffix('.json')}.json")
        except NotFound:
            pass
    raise UnreadableFile(file, "no such file, nor a pipeline of that name in data/pipelines")


def _named(text: str) -> tuple[str, object]:
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise BadParameter(text, None, "give a parameter as NAME=VALUE")
    try:
        read: Any = orjson.loads(value)
    except orjson.JSONDecodeError:
        return name, value
    return name, read if isinstance(read, int | float | bool | list) else value


def _print(document: dict[str, Any]) -> None:
    for warning in document["warnings"]:
        click.echo(warning, err=True)
    stages = ", ".join(document["metadata"])
    click.echo(f"{document['out'] or 'done'}: {stages} ({document['seconds']:.1f} s)")
