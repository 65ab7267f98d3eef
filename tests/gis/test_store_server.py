"""A real server in place of the private cluster: here the private one plays it, under other logins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import sql
from sqlalchemy import text

from gis.access.roles import Role
from gis.errors import BadParameter, StoreUnreachable
from gis.settings import Settings
from gis.store import backup, migrate
from gis.store.cluster import PORT, SUPERUSER, Cluster
from gis.store.database import Database
from gis.store.server import EXTENSIONS, Server

Remote = Callable[[str, str], Settings]


@pytest.fixture
def remote(store_settings: Settings, tmp_path: Path) -> Iterator[Remote]:
    """Settings that name the cluster by an URL, from a home of their own."""
    cluster = Cluster(store_settings.home)

    def named(login: str, password: str) -> Settings:
        host = str(cluster.socket).replace("/", "%2F")
        url = f"postgresql://{login}:{password}@/remote?host={host}&port={PORT}"
        return Settings(tmp_path / "home", url, None)

    yield named
    with cluster.connect() as session:
        session.execute("DROP DATABASE IF EXISTS remote WITH (FORCE)")
        for login in (*(role.login("remote") for role in Role), "plain"):
            session.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(login)))


def test_a_login_that_may_makes_all_that_is_needed(remote: Remote, store_settings: Settings, tmp_path: Path) -> None:
    settings = remote(SUPERUSER, Cluster(store_settings.home).password(SUPERUSER))
    database = Database.of(settings.city("x"), settings, start=True)
    assert database.name == "remote"
    assert database.server.cluster is None
    with database.open(Role.READER) as connection:
        assert connection.scalar(text("SELECT current_user")) == "remote_reader"
        assert connection.scalar(text("SELECT name FROM city")) == "x"
    file = backup.backup(database, tmp_path / "x.diaba").path
    assert backup.restore(database, file).crs == database.city.crs
    assert database.revision() == migrate.newest()


def test_a_login_that_may_not_says_what_to_run_and_goes_on_when_it_was_run(
    remote: Remote, store_settings: Settings
) -> None:
    cluster = Cluster(store_settings.home)
    with cluster.connect() as session:
        session.execute("CREATE ROLE plain LOGIN PASSWORD 'plain-password'")
    settings = remote("plain", "plain-password")
    database = Database.of(settings.city("x"), settings)
    with pytest.raises(StoreUnreachable, match="ask an administrator to run") as raised:
        database.prepare()
    said = str(raised.value)
    assert "\n" not in said
    assert "plain-password" not in said
    statements = [f"{part};" for part in said.split("run: ")[1].split("and to give")[0].split(";") if part.strip(" ;")]
    before = [statement.replace("and in it:", "").strip() for statement in statements]
    with cluster.connect() as session:
        for statement in before[:4]:
            session.execute(statement)  # type: ignore[arg-type]
        for role in Role:
            login = role.login("remote")
            word = (database.server.secrets / login).read_text()
            session.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(login), sql.Literal(word)))
    with cluster.connect("remote") as session:
        for statement in before[4:]:
            session.execute(statement)  # type: ignore[arg-type]
        assert before[4 : 4 + len(EXTENSIONS)] == [f"CREATE EXTENSION {name};" for name in EXTENSIONS]
    database.prepare()
    with database.open(Role.READER) as connection:
        assert connection.scalar(text("SELECT srid FROM city")) == 9210


@pytest.mark.parametrize("url", ["mysql://a@b/c", "nonsense", "http://x", "postgresql://a:bad port@h:x/"])
def test_what_is_no_url_of_postgresql_is_refused_without_showing_it(store_settings: Settings, url: str) -> None:
    with pytest.raises(BadParameter, match="DIABA_DATABASE_URL") as raised:
        Server.of(replace(store_settings, database_url=url))
    assert "bad port" not in str(raised.value)
