"""A city of two wards with a difference in each, its point cloud, and an authority that nobody knows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import text

from gis.access.roles import Role
from gis.bounds import BoundingBox
from gis.crs import horizontal
from gis.files import sha256
from gis.store import catalog, discrepancies
from gis.store.catalog import PointProduct
from lidar.point_cloud import PointCloud
from lidar.write_copc import write_points
from tests.api.conftest import NEW, TILE, CityStore, furnish
from tests.api.security_doors import FIRST_THERE, THERE
from tests.gis.store_samples import EAST, NORTH

HERE_CASE = discrepancies.identity(NEW, "storeys", "b-0003", "p-0003", "GPXD-0003")
THERE_CASE = discrepancies.identity(NEW, "storeys", "b-0025", "p-0025", "GPXD-0025")
GROUND, ROOF = 1.25, 13.65
STEP = 0.35
"""Metres between points."""


def fill(store: CityStore, folder: Path) -> None:
    """Registers, buildings, differences, and points on the house b-0003 and around it."""
    furnish(store, folder)
    with store.database.open(Role.OWNER) as connection:
        there = {"ward": THERE, "first": f"p-{FIRST_THERE:04d}"}
        connection.execute(text("UPDATE diaba.parcel_version SET ward_code = :ward WHERE uid >= :first"), there)
    x, y = (one.ravel() for one in np.meshgrid(np.arange(-5, 45, STEP), np.arange(-12, 30, STEP)))
    on_roof = (x >= 18) & (x < 23) & (y >= 0) & (y < 16)
    z = np.where(on_roof, ROOF, GROUND)
    code = np.where(on_roof, 6, 2).astype(np.uint8)
    cloud = PointCloud.from_xyz(np.round(EAST + x, 2), np.round(NORTH + y, 2), z, store.city.crs, classification=code)
    path = Path("products", NEW, "points.copc.laz")
    (store.city.folder / path).parent.mkdir(parents=True, exist_ok=True)
    write_points(cloud, store.city.folder / path)
    bounds = BoundingBox(EAST - 5, NORTH - 12, EAST + 45, NORTH + 30, horizontal(store.city.crs))
    product = PointProduct(str(path), sha256(store.city.folder / path), len(x), bounds, {2: 1})
    found = {
        "kind": "storeys",
        "building_uid": "b-0025",
        "parcel_uid": "p-0025",
        "permit_no": "GPXD-0025",
        "epoch": NEW,
        "actual": 14.5,
        "limit_value": 11.6,
        "unit": "m",
        "delta": 2.9,
        "sigma": 0.1,
        "confidence": 0.999,
    }
    with store.database.open(Role.WRITER) as connection:
        catalog.save_products(connection, TILE, NEW, [], product)
        discrepancies.save(connection, [found])


@dataclass(frozen=True)
class Authority:
    """A certificate authority of a test and a key it vouches for."""

    root: Path
    key: Path
    certificate: Path


def authority(folder: Path, name: str) -> Authority:
    """Make one; its files lie in the folder."""
    folder.mkdir()
    root_key, own_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    now = dt.datetime.now(dt.UTC)

    def issued(subject: str, key: ec.EllipticCurvePrivateKey, *, is_root: bool) -> x509.Certificate:
        called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(
            digital_signature=not is_root,
            content_commitment=not is_root,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=is_root,
            crl_sign=is_root,
            encipher_only=False,
            decipher_only=False,
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(called)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
            .add_extension(usage, critical=True)
        )
        return builder.sign(root_key, hashes.SHA256())

    pem = serialization.Encoding.PEM
    files = Authority(folder / "root.pem", folder / "office.key", folder / "office.pem")
    files.root.write_bytes(issued(name, root_key, is_root=True).public_bytes(pem))
    files.certificate.write_bytes(issued("Office of the test", own_key, is_root=False).public_bytes(pem))
    files.key.write_bytes(own_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return files
