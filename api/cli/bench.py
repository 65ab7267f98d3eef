"""`diaba bench`: the benchmarks of the checkout, side by side with the peers that are installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@click.command("bench")
@click.argument("names", metavar="[NAME…]", nargs=-1)
@click.option("--list", "only_list", is_flag=True, help="Name the benchmarks, run nothing.")
@click.pass_context
def command(ctx: click.Context, names: tuple[str, ...], only_list: bool) -> None:
    """Run benchmarks; each prints what it measured, on what, as ratios to a peer in the same run.

    \b
    Examples:
      diaba bench
      diaba bench terrain
      diaba bench --list
    """
    found = {path.stem: path for path in sorted(FOLDER.glob("*.py")) if not path.stem.startswith("_")}
    if not found:
        raise click.UsageError("the benchmarks are part of a checkout, and this is an installed package")
    unknown = [name for name in names if name not in found]
    if unknown:
        raise click.UsageError(f"no benchmark {unknown[0]!r}; there are {', '.join(found)}")
    if only_list:
        for name in found:
            click.echo(name)
        return
    for name in names or found:
        click.echo(f"== {name}", err=True)
        done = subprocess.run([sys.executable, str(found[name])], check=False, cwd=FOLDER.parent)
        if done.returncode:
            ctx.exit(1)
