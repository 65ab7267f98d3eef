"""`diaba parcels succeed`: a ward is succeeded by another."""

from __future__ import annotations

from typing import Any

import click

from api.cli.parcels_change import carry_out, change_options, order_of


@click.command("succeed")
@click.argument("old_ward", metavar="OLD")
@click.argument("new_ward", metavar="NEW")
@change_options
def command(old_ward: str, new_ward: str, as_json: bool, **told: Any) -> None:
    """Give all parcels of a ward the code of the ward that succeeds it.

    \b
    Examples:
      diaba parcels succeed 26734 26740 --valid-from 2025-07-01 --legal-ref "NQ 1685/NQ-UBTVQH15"
    """
    from gis.store import land_changes

    order = order_of(told, [])
    carry_out(order, lambda connection: land_changes.succeed_unit(connection, old_ward, new_ward, order), as_json)
