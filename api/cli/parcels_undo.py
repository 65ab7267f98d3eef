"""`diaba parcels undo`: a land change is undone by its contrary."""

from __future__ import annotations

from typing import Any

import click

from api.cli.parcels_change import carry_out, change_options, order_of


@click.command("undo")
@click.argument("change", type=click.IntRange(1))
@change_options
def command(change: int, as_json: bool, **told: Any) -> None:
    """Undo a land change by a contrary one: its parcels come back from the day of the undoing, the history stays.

    What came of the change must not have changed since; what did is named, and can be undone first.

    \b
    Examples:
      diaba parcels undo 12 --legal-ref "QĐ 77/2026" --dry-run
    """
    from gis.store import land_changes

    order = order_of(told, [])
    carry_out(order, lambda connection: land_changes.undo(connection, change, order), as_json)
