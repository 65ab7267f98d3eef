"""Who may do what in a city's database: three logins, none of which is the server's administrator."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """A login of a city's database. Each has its own random password."""

    OWNER = "owner"
    """Owns the tables and changes their shape; migrations, backups, keys of machines and who sees what are its work."""
    WRITER = "writer"
    """Adds to the registers and closes what was recorded; owns nothing, shapes nothing."""
    READER = "reader"
    """The API's login: reads, without what identifies a person."""

    def login(self, database: str) -> str:
        """Name of the login: `diaba_hcmc_reader`."""
        return f"{database}_{self.value}"


_IMPORTS = (
    "parcel_import",
    "parcel_import_block",
    "parcel_import_end",
    "parcel_import_rest",
    "parcel_import_row",
)

_ADDED_ONLY = (
    *("inspection", "case_assignment", "compliance_run"),
    *("audit_sample", "audit_sample_building", "audit_inspection"),
)

_AUDIT = ("audit_log", "audit_pending")

OWNERS_FUNCTIONS = frozenset({"announce", "generalise_land", "generalise_ward", "generalise_buildings", "seal"})
"""Parts of functions that work as the owner. Nobody else calls them, nor any function that a trigger is made of."""
WRITERS_FUNCTIONS = frozenset({"generalise"})
"""Functions that write; the reader calls all others."""

READABLE_COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "party": ("uid", "version", "kind", "recorded"),
        # Not who applied, nor what opens the public look-up.
        "dossier": (
            *("receipt_no", "office", "year", "number", "procedure", "law", "type", "filed_on"),
            *("parcel_uid", "of_permit", "status", "events", "head"),
        ),
        # Not who acted, nor what was noted.
        "dossier_event": (
            *("receipt_no", "seq", "action", "status", "happened_on", "recorded_at", "clock_effect", "clock_days"),
            *("permit_no", "prev_hash", "hash"),
        ),
        # Neither amounts nor papers, nor digests of rows that hold them: a digest can be guessed.
        "rrr": (
            *("id", "version", "ba_unit_uid", "party_uid", "type", "share_num", "share_den", "encumbers", "rank"),
            *("valid", "recorded"),
        ),
        "group_member": ("group_uid", "version", "valid", "recorded"),
        "source_document": ("uid", "version", "kind", "date", "signature_status", "recorded"),
        "identity_key": ("since",),
        # Parcels of an import that is not finished are not in the register.
        **dict.fromkeys(_IMPORTS, ()),
        # Who acted is not told.
        **dict.fromkeys(_AUDIT, ()),
        # Of what is generalised the reader sees the results, which have policies, and not what they are made of.
        **dict.fromkeys(("stale_cell", "generalised_cell"), ()),
    }
)
"""Tables of which the reader sees these columns only; it sees all other tables whole."""

HIDDEN = frozenset({"scope_key", "api_key"})
"""Tables that neither reader nor writer can touch; functions of the owner's look into them."""

WRITER_PRIVILEGES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "city": ("SELECT", "UPDATE"),
        "alembic_version": ("SELECT",),
        # Verdicts are added, never changed.
        "rule_set": ("SELECT", "INSERT"),
        "check_result": ("SELECT", "INSERT"),
        # What was recorded of a parcel only gets an end; what was changed, and what came from what, stays as it is.
        "parcel_version": ("SELECT", "INSERT", "UPDATE (recorded)"),
        "land_change": ("SELECT", "INSERT"),
        "parcel_lineage": ("SELECT", "INSERT"),
        # Of files the catalogue lists what there is; their history is no register.
        "raster_product": ("SELECT", "INSERT", "UPDATE", "DELETE"),
        "point_product": ("SELECT", "INSERT", "UPDATE", "DELETE"),
        "dossier_event": ("SELECT", "INSERT"),
        # Where a case stands is a version like its figures; what people saw of it is added, never changed.
        "discrepancy": ("SELECT", "INSERT", "UPDATE (recorded)"),
        **dict.fromkeys(_ADDED_ONLY, ("SELECT", "INSERT")),
        # The database itself writes what the tiles are made of.
        **dict.fromkeys(
            (
                *("change", "stale_cell", "generalised_cell", "generalised_block", "generalised_ward"),
                "generalised_built_up",
            ),
            ("SELECT",),
        ),
        # What was checked of an import is left out when it is written, or begins again.
        **dict.fromkeys(_IMPORTS, ("SELECT", "INSERT", "UPDATE", "DELETE")),
        # Written by the database alone.
        **dict.fromkeys(_AUDIT, ("SELECT",)),
    }
)
"""Where the writer has other privileges than SELECT, INSERT and UPDATE."""

SETTINGS: Mapping[Role, Mapping[str, str]] = MappingProxyType(
    {
        Role.OWNER: {"idle_in_transaction_session_timeout": "1h"},
        Role.WRITER: {
            "statement_timeout": "10min",
            "lock_timeout": "1min",
            "idle_in_transaction_session_timeout": "10min",
        },
        Role.READER: {
            "statement_timeout": "30s",
            "lock_timeout": "5s",
            "idle_in_transaction_session_timeout": "1min",
            "default_transaction_read_only": "on",
        },
    }
)
"""Session settings of each login: a forgotten session or a runaway query ends by itself."""
