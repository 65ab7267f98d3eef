"""`diaba parcels`: the register of land."""

from __future__ import annotations

import click

from api.cli.common import lazy_group

COMMANDS: dict[str, tuple[str, str]] = {
    "adjust": ("api.cli.parcels_adjust", "Neighbours move their common boundary."),
    "certificate": ("api.cli.parcels_certificate", "A certificate by serial or book number, and its life."),
    "document": ("api.cli.parcels_document", "Source documents and their files."),
    "export": ("api.cli.parcels_export", "Parcels of a day into a file."),
    "extract": ("api.cli.parcels_extract", "Who, what, where, since when, by which paper."),
    "find": ("api.cli.parcels_find", "Parcels by number, address or place."),
    "grant": ("api.cli.parcels_grant", "The first rights in parcels."),
    "history": ("api.cli.parcels_history", "All versions of a parcel and its lineage."),
    "import": ("api.cli.parcels_import", "Parcels of files, checked, then all or nothing."),
    "merge": ("api.cli.parcels_merge", "Neighbours become one parcel."),
    "part": ("api.cli.parcels_part", "Some parcels of a unit become a unit of their own."),
    "renumber": ("api.cli.parcels_renumber", "A parcel gets another sheet and parcel number."),
    "resurvey": ("api.cli.parcels_resurvey", "Parcels get the outlines of a new survey."),
    "rights": ("api.cli.parcels_rights", "Who holds what in a parcel."),
    "show": ("api.cli.parcels_show", "A parcel on a day, as known at a moment."),
    "split": ("api.cli.parcels_split", "One parcel becomes several."),
    "succeed": ("api.cli.parcels_succeed", "A ward is succeeded by another."),
    "transfer": ("api.cli.parcels_transfer", "Sale, inheritance, gift, division, mortgage, discharge."),
    "undo": ("api.cli.parcels_undo", "A land change is undone by its contrary."),
    "use": ("api.cli.parcels_use", "Parcels change their land use."),
}
"""Command → module that holds it as `command`, and its line in the help."""


@click.group(cls=lazy_group(COMMANDS))
def command() -> None:
    """The register of land: parcels in two times.

    \b
    Examples:
      diaba parcels import lots.shp --dry-run
      diaba parcels find "12/345"
    """
