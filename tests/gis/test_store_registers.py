"""Registers from a GeoPackage: all or nothing, and the same file again changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
from shapely import Polygon
from sqlalchemy import Connection, text

from gis.access.roles import Role
from gis.errors import BadGeometry, BadInput, MissingCrs, StoreUnreachable, UnreadableFile
from gis.store import footprints, parcels, parties, permits, registers, rights, roads, zones
from gis.store.database import Database
from gis.store.secret_files import key
from tests.gis.store_samples import register_layers, write_registers

COUNT = 12
Layers = dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_registers(tmp_path_factory.mktemp("registers") / "registers.gpkg", register_layers(COUNT))


def test_all_layers_arrive_with_what_they_hold(writer: Connection, file: Path) -> None:
    saved = registers.import_registers(writer, file)
    expected = {name: len(frame) for name, frame in register_layers(COUNT).items()}
    assert {name: one.added for name, one in saved.items()} == expected
    layers = register_layers(COUNT)
    for read, layer, key_column in (
        (parcels.current, "parcels", "uid"),
        (permits.current, "permits", "permit_no"),
        (roads.current, "roads", "uid"),
        (zones.current, "planning_zones", "uid"),
        (footprints.all, "footprints", "uid"),
    ):
        found, told = read(writer), layers[layer]
        assert isinstance(told, geopandas.GeoDataFrame)
        assert found.crs == told.crs
        assert found[key_column].tolist() == told[key_column].tolist()
        assert found.geometry.geom_equals_exact(told.geometry, 0).all(), layer
        for column in told.columns.drop("geometry"):
            if column != "valid_from" and not column.startswith(("issued", "expires", "survey")):
                pd.testing.assert_series_equal(found[column], told[column], check_dtype=False, check_names=False)
    assert parcels.current(writer).area_measured.tolist() == [100.0] * COUNT
    assert permits.current(writer).issued.dt.date.dropna().iloc[0] == date(2011, 5, 17)
    assert rights.current(writer).party_uid.tolist() == [f"o-{n:04d}" for n in range(COUNT)]
    assert registers.counts(writer) | {"building": 0, "discrepancy": 0} == {
        "parcel": COUNT,
        "party": COUNT,
        "rrr": COUNT,
        "road": 1,
        "planning_zone": 1,
        "permit": COUNT,
        "footprint": COUNT,
        "building": 0,
        "discrepancy": 0,
    }


def test_the_same_file_again_changes_nothing(writer: Connection, file: Path) -> None:
    registers.import_registers(writer, file)
    again = registers.import_registers(writer, file)
    assert all(saved.added == saved.closed == 0 and saved.unchanged > 0 for saved in again.values())


def test_a_changed_row_becomes_a_version_and_the_old_one_stays(writer: Connection, file: Path, tmp_path: Path) -> None:
    registers.import_registers(writer, file)
    layers = register_layers(COUNT)
    layers["permits"].loc[5, ["floors", "status"]] = [4, "revoked"]
    layers["permits"].loc[6, "height_m"] = 14.9
    layers["parties"].loc[1, "id_no"] = "079999999999"
    layers["parcels"] = layers["parcels"].iloc[:3]
    saved = registers.import_registers(writer, write_registers(tmp_path / "changed.gpkg", layers))
    assert saved["permits"].counts == {"added": 2, "closed": 2, "unchanged": COUNT - 2}
    assert saved["parties"].counts == {"added": 1, "closed": 1, "unchanged": COUNT - 1}
    # What a file does not mention is not gone.
    assert len(parcels.current(writer)) == COUNT
    now = permits.current(writer).set_index("permit_no")
    assert (now.loc["GPXD-0005", "floors"], now.loc["GPXD-0006", "height_m"]) == (4, 14.9)
    assert (now.loc["GPXD-0005", "version"], now.loc["GPXD-0004", "version"]) == (2, 1)
    assert writer.scalar(text("SELECT floors FROM permit_limit WHERE permit_no = 'GPXD-0005' AND version = 1")) == 3


def test_a_permit_may_be_of_a_parcel_that_is_no_more(writer: Connection, tmp_path: Path) -> None:
    layers = register_layers(COUNT)
    layers["permits"].loc[2, "parcel_uid"] = "p-0002-2003"
    registers.import_registers(writer, write_registers(tmp_path / "old.gpkg", layers))
    assert permits.current(writer).parcel_uid.iloc[2] == "p-0002-2003"
    assert "p-0002-2003" not in set(parcels.current(writer).uid)


def _cross(layers: Layers) -> None:
    frame = layers["parcels"]
    x, y = frame.geometry.iloc[4].bounds[:2]
    frame.geometry = [
        *frame.geometry.iloc[:4],
        Polygon([(x, y), (x + 5, y + 5), (x + 5, y), (x, y + 5)]),
        *frame.geometry.iloc[5:],
    ]


DAMAGES: dict[str, tuple[Callable[[Layers], object], type[Exception], str]] = {
    "crossing parcel": (_cross, BadGeometry, "parcels p-0004: Self-intersection"),
    "layer missing": (lambda layers: layers.pop("rights"), UnreadableFile, "no layer rights"),
    "column missing": (
        lambda layers: layers.update(parcels=layers["parcels"].drop(columns="land_use")),
        UnreadableFile,
        "layer parcels has no column land_use",
    ),
    "empty uid": (
        lambda layers: layers["parcels"].__setitem__("uid", [None, *layers["parcels"].uid[1:]]),
        UnreadableFile,
        "layer parcels, row 1, column uid has no value",
    ),
    "same uid twice": (
        lambda layers: layers["roads"].__class__ and layers.update(roads=pd.concat([layers["roads"]] * 2)),
        BadInput,
        "road r-1: it occurs twice",
    ),
    "bad date": (
        lambda layers: layers["permits"].__setitem__("issued", "hôm qua"),
        UnreadableFile,
        "row 1, column issued has the value 'hôm qua'",
    ),
    "half a floor": (
        lambda layers: layers["permits"].__setitem__("floors", 2.5),
        UnreadableFile,
        "column floors has the value '2.5'",
    ),
    "unknown parcel": (
        lambda layers: layers["rights"].__setitem__("parcel_uid", "p-none"),
        BadInput,
        "a right refers to the parcel p-none",
    ),
    "unknown party": (
        lambda layers: layers["rights"].__setitem__("party_uid", "o-none"),
        BadInput,
        "a right refers to the party o-none",
    ),
    "unknown type": (
        lambda layers: layers["rights"].__setitem__("type", "dominion"),
        BadInput,
        "the right of o-0000 in p-0000 is of the type dominion; there are ownership",
    ),
    "two owners": (
        lambda layers: layers["rights"].__setitem__("parcel_uid", ["p-0001", *layers["rights"].parcel_uid[1:]]),
        BadInput,
        "unit p-0001: the shares of ownership add up to 2, not to 1, from 2009-03-01 on",
    ),
    "no crs": (
        lambda layers: layers.update(roads=layers["roads"].set_crs(None, allow_override=True)),
        MissingCrs,
        "does not say its CRS",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_bad_file_is_said_and_leaves_the_registers_alone(
    shared_database: Database, tmp_path: Path, damage: str
) -> None:
    spoil, error, message = DAMAGES[damage]
    layers = register_layers(COUNT)
    spoil(layers)
    path = write_registers(tmp_path / "bad.gpkg", layers)
    with pytest.raises(error, match=message) as raised:
        _import(shared_database, path)
    assert "\n" not in str(raised.value)
    with shared_database.open(Role.WRITER) as connection:
        assert sum(registers.counts(connection).values()) == 0


def _import(database: Database, path: Path) -> None:
    with database.open(Role.WRITER) as connection:
        registers.import_registers(connection, path)


def test_a_share_of_more_than_the_whole_is_refused_and_nothing_stays(shared_database: Database, tmp_path: Path) -> None:
    layers = register_layers(COUNT)
    layers["rights"].loc[3, "share_num"] = 3
    path = write_registers(tmp_path / "bad.gpkg", layers)
    with pytest.raises(BadInput, match="ownership of o-0003: a share is more than 0, at most 1"):
        _import(shared_database, path)
    with shared_database.open(Role.WRITER) as connection:
        assert sum(registers.counts(connection).values()) == 0
        assert connection.scalar(text("SELECT count(*) FROM parcel")) == 0


def test_damaged_files_never_end_in_another_error(shared_database: Database, file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    random = np.random.default_rng(1836)
    bad = tmp_path / "bad.gpkg"
    cuts = [whole[: int(len(whole) * share)] for share in (0, 0.1, 0.5, 0.99)]
    noise = [random.bytes(5000), b"uid,geom\n1,POINT(0 0)\n"]
    flips = []
    for place in random.integers(0, len(whole), 12):
        flipped = bytearray(whole)
        flipped[place : place + 64] = bytes(64)
        flips.append(bytes(flipped))
    for content in [*cuts, *noise, *flips]:
        bad.write_bytes(content)
        # Zeros in a free page harm nothing; whatever does harm must be bad input, in one line.
        with suppress(BadInput), shared_database.open(Role.WRITER) as connection:
            registers.import_registers(connection, bad)
            connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))  # what is checked when it is committed
            connection.rollback()
    with pytest.raises(UnreadableFile, match="no such file"):
        _import(shared_database, tmp_path / "none.gpkg")


def test_another_crs_is_transformed_at_the_door(writer: Connection, file: Path, tmp_path: Path) -> None:
    layers = {
        name: frame.to_crs(5899) if isinstance(frame, geopandas.GeoDataFrame) else frame
        for name, frame in register_layers(COUNT).items()
    }
    registers.import_registers(writer, write_registers(tmp_path / "zone.gpkg", layers))
    expected = register_layers(COUNT)["parcels"].geometry
    assert parcels.current(writer).geom.geom_equals_exact(expected, 0.001).all()


def test_identity_numbers_are_encrypted_and_found(writer: Connection, shared_database: Database, file: Path) -> None:
    registers.import_registers(writer, file)
    assert parties.find(writer, "079 000 000 003") == [parties.Party("o-0003", "person", "Nguyễn Thị 3 (hư cấu)")]
    assert parties.identity_number(writer, "o-0003") == "079000000003"
    assert parties.identity_number(writer, "o-0005") is None
    stored = writer.execute(text("SELECT id_no_encrypted, id_no_hash, digest FROM party WHERE id_no_hash IS NOT NULL"))
    for row in stored:
        for value in row:
            assert b"079000" not in bytes(value)
    other = writer.execution_options(**{parties.KEY_OPTION: bytes(32)})
    with pytest.raises(StoreUnreachable, match=r"encrypted with the key [0-9a-f]{16}, and this installation has"):
        parties.find(other, "079000000003")
    with pytest.raises(StoreUnreachable, match="put the right key into its file"):
        parties.identity_number(other, "o-0003")
    with pytest.raises(StoreUnreachable, match="this installation has"):
        parties.save(other, [{"uid": "o-0003", "kind": "person", "name": "x", "id_no": "1"}])


def test_the_key_is_made_once_and_is_no_part_of_the_database(tmp_path: Path) -> None:
    first = key(tmp_path / "secrets", "x.key")
    assert key(tmp_path / "secrets", "x.key") == first
    assert len(first) == 32
    (tmp_path / "secrets" / "x.key").chmod(0o644)
    with pytest.raises(UnreadableFile, match="chmod 600"):
        key(tmp_path / "secrets", "x.key")
