"""`diaba parcels`: the register of land."""

from __future__ import annotations

import click

from api.cli.common import lazy_group

COMMANDS: dict[str, tuple[str, str]] = {
    "certificate": ("api.cli.parcels_certificate", "A certificate by serial or book number, and its life."),
    "document": ("api.cli.parcels_document", "Source documents and their files."),
    "extract": ("api.cli.parcels_extract", "Who, what, where, since when, by which paper."),
    "rights": ("api.cli.parcels_rights", "Who holds what in a parcel."),
    "transfer": ("api.cli.parcels_transfer", "Sale, inheritance, gift, division, mortgage, discharge."),
}
"""Command → module that holds it as `command`, and its line in the help."""


@click.group(cls=lazy_group(COMMANDS))
def command() -> None:
    """The register of land: parcels in two times.

    \b
    Examples:
      diaba parcels show p-000001
    """
