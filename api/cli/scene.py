"""`diaba scene`: the simulated city and its scanner."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.common import emit, json_option, progress


@click.group()
def command() -> None:
    """The simulated city and its scanner: ground truth of a ward, and the registers and points of a survey.

    \b
    Examples:
      diaba scene make /tmp/alley --recipe alley --seed 1
    """


@command.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--recipe", "name", default="alley", show_default=True, metavar="NAME", help="alley, ward, district or a TOML file."
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True, help="Same seed, same bytes.")
@click.option("--density", type=click.FloatRange(0.5, 60), help="Points per m² instead of the recipe's.")
@click.option("--later", is_flag=True, help="The place some years on; truth/changes.json says what changed.")
@json_option
def make(out: Path, name: str, seed: int, density: float | None, later: bool, as_json: bool) -> None:
    """Make a scene: points, registers, and the truth about both, in the folder OUT.

    \b
    Examples:
      diaba scene make /tmp/alley --recipe alley --seed 1
      diaba scene make /tmp/ward --recipe ward --seed 7 --density 12 --json
      diaba scene make /tmp/alley-2027 --recipe alley --seed 1 --later
    """
    from lidar.scene.make import make_scene
    from lidar.scene.recipe import read_recipe

    recipe = read_recipe(name)
    with progress(f"scene {recipe.name}", 100) as advance:
        shown = 0

        def say(what: str, done: int, total: int) -> None:
            nonlocal shown
            now = 5 * done // total if what == "ward" else 5 + 95 * done // max(total, 1)
            advance(max(now - shown, 0))
            shown = max(now, shown)

        document = make_scene(out, recipe, seed, density=density, later=later, progress=say)
    counts = document["counts"]
    emit(
        document,
        as_json,
        lambda: click.echo(
            f"{out}: {counts['buildings']} buildings on {counts['parcels']} parcels, {counts['points']:,} points "
            f"({document['points_per_m2']} per m²) in {counts['strips']} strips"
        ),
    )
