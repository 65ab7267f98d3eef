"""The command `diaba`: finds the command, runs it, and turns errors into one line and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from api.cli.common import EXIT_BAD_INPUT, EXIT_FAILED, EXIT_STORE_UNREACHABLE, lazy_group
from gis.errors import BadInput, DiabaError, NotFound, StoreUnreachable

COMMANDS = {
    "bench": ("api.cli.bench", "The benchmarks, against the peers that are installed."),
    "compliance": ("api.cli.compliance", "Registered city against measured city."),
    "db": ("api.cli.db", "The store: start, stop, migrate, back up."),
    "demo": ("api.cli.demo", "A district from nothing to served."),
    "lidar": ("api.cli.lidar", "Point clouds in; terrain, buildings and reports out."),
    "parcels": ("api.cli.parcels", "The register of land."),
    "permits": ("api.cli.permits", "Building permits: dossiers, clocks, checks."),
    "scene": ("api.cli.scene", "The simulated city and its scanner."),
    "serve": ("api.cli.serve", "The API and the viewer."),
    "tiles": ("api.cli.tiles", "Vector tiles: into a file; what stands for parcels far away."),
}
"""Command → module that holds it as `command`, and its line in the help."""


@click.group(cls=lazy_group(COMMANDS), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="diaba")
@click.option("--city", metavar="NAME", envvar="DIABA_CITY", help="Which city's store and files to use.")
@click.pass_context
def diaba(ctx: click.Context, city: str | None) -> None:
    """Land and construction information system of a city.

    \b
    Examples:
      diaba demo
      diaba lidar inspect tile.laz
      diaba lidar terrain tile.laz dtm.tif --resolution 0.5
    """
    ctx.obj = city


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the contract's codes."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0 done, 2 wrong usage, 3 bad input, 4 store unreachable."""
    try:
        result = diaba.main(args=list(arguments) if arguments is not None else None, standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        _say("stopped")
        return 130
    except StoreUnreachable as error:
        _say(str(error))
        return EXIT_STORE_UNREACHABLE
    except (BadInput, NotFound) as error:
        _say(str(error))
        return EXIT_BAD_INPUT
    except DiabaError as error:
        _say(str(error))
        return EXIT_FAILED
    except BrokenPipeError:
        return 0
    except OSError as error:
        _say(f"{error.filename or 'system'}: {error.strerror or error}")
        return EXIT_FAILED


def _say(text: str) -> None:
    click.echo(f"diaba: {' '.join(text.split())}", err=True)


if __name__ == "__main__":
    main()
