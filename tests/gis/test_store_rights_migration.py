"""Rights from before there were units of parcels come along, and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from gis.access.roles import Role
from gis.errors import Conflict
from gis.land.right_types import right_types
from gis.store import migrate, registers, rights, units
from gis.store.database import Database
from tests.gis.store_samples import register_layers, write_registers

COUNT = 6


def _before() -> str:
    script = ScriptDirectory.from_config(migrate._config()).get_revision("0008")
    assert script is not None
    assert isinstance(script.down_revision, str)
    return script.down_revision


def test_rights_keep_their_history_and_the_file_is_still_known(database: Database, tmp_path: Path) -> None:
    layers = register_layers(COUNT)
    file = write_registers(tmp_path / "r.gpkg", layers)
    layers["rights"].loc[1, "party_uid"] = "o-0002"
    changed = write_registers(tmp_path / "changed.gpkg", layers)
    with database.open(Role.WRITER) as connection:
        registers.import_registers(connection, file)
    rows = "SELECT id, version, {}, party_uid, share_num, valid, recorded, digest FROM diaba.rrr ORDER BY 1, 2"
    with database.open(Role.OWNER) as connection:
        before = connection.execute(text(rows.format("ba_unit_uid"))).all()
    database.migrate(_before())
    with database.open(Role.OWNER) as connection:
        assert connection.execute(text(rows.format("parcel_uid"))).all() == before
    database.migrate()
    with database.open(Role.WRITER) as connection:
        assert connection.execute(text(rows.format("ba_unit_uid"))).all() == before
        again = registers.import_registers(connection, file)
        assert again["rights"].counts == {"added": 0, "closed": 0, "unchanged": COUNT}
        assert units.of_parcel(connection, "p-0003")[0].parcels == ("p-0003",)
        # The unit's own row is the one the register would write: told again it is known.
        of_parcel = connection.execute(text("SELECT ba_unit_uid, version FROM ba_unit_parcel")).all()
        assert sorted(of_parcel) == [(f"p-{n:04d}", 1) for n in range(COUNT)]
        units.compose(connection, units.of_parcel(connection, "p-0003"), None)
        assert connection.scalar(text("SELECT count(*) FROM ba_unit_parcel")) == COUNT
        assert rights.current(connection).party_uid.tolist() == [f"o-{n:04d}" for n in range(COUNT)]
    _refused_import(database, changed)


def _refused_import(database: Database, changed: Path) -> None:
    """A second whole owner of a parcel is refused, by name, and the register is unchanged."""
    with pytest.raises(
        Conflict, match="unit p-0001: the shares of ownership add up to 2, not to 1, from 2009-03-01 on"
    ):
        _import(database, changed)
    with database.open(Role.READER) as connection:
        assert len(rights.current(connection)) == COUNT


def _import(database: Database, file: Path) -> None:
    with database.open(Role.WRITER) as connection:
        registers.import_registers(connection, file)


def test_the_database_knows_the_types_of_the_table(shared_database: Database) -> None:
    with shared_database.open(Role.READER) as connection:
        stored = connection.execute(text("SELECT type, class, exclusive FROM right_type ORDER BY 1")).all()
    assert [tuple(row) for row in stored] == sorted(
        (one.name, one.kind.value, one.exclusive) for one in right_types().values()
    )
