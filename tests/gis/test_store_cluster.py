"""The private cluster: closed to others, safe against kills, indifferent to what a crash left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from gis.access.roles import Role
from gis.errors import MissingProgram, StoreUnreachable
from gis.settings import Settings
from gis.store import programs
from gis.store.cluster import Cluster
from gis.store.database import Database
from gis.store.server import dsn
from tests.gis.store_samples import remove_cluster

AS_ROOT = os.geteuid() == 0


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="diaba-test-"))
    folder.chmod(0o755)
    yield folder / "home"
    remove_cluster(folder / "home")
    shutil.rmtree(folder)


@pytest.fixture
def city(home: Path) -> Database:
    settings = Settings(home, None, None)
    return Database.of(settings.city("crash"), settings, start=True)


def _show(session: psycopg.Connection[tuple[object, ...]], setting: str) -> object:
    row = session.execute("SELECT current_setting(%s)", (setting,)).fetchone()
    return row[0] if row else None


def test_cluster_is_closed_and_careful(store_settings: Settings) -> None:
    cluster = Cluster(store_settings.home)
    with cluster.connect() as session:
        assert _show(session, "listen_addresses") == ""
        assert _show(session, "data_checksums") == "on"
        assert _show(session, "fsync") == "on"
        assert _show(session, "full_page_writes") == "on"
        assert _show(session, "password_encryption") == "scram-sha-256"
        rules = session.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall()
        assert rules == [("scram-sha-256",)]
        place = session.execute("SELECT datcollate FROM pg_database WHERE datname = 'template1'").fetchone()
        assert place == ("C.UTF-8",)


def test_server_listens_on_no_port_and_is_not_root(store_settings: Settings) -> None:
    status = Cluster(store_settings.home).status()
    assert Path(f"/proc/{status.pid}").stat().st_uid != 0
    inodes = {
        target.removeprefix("socket:[").removesuffix("]")
        for link in Path(f"/proc/{status.pid}/fd").iterdir()
        if (target := str(link.readlink())).startswith("socket:[")
    }
    for table in ("tcp", "tcp6"):
        lines = Path(f"/proc/{status.pid}/net/{table}").read_text().splitlines()[1:]
        assert not inodes & {line.split()[9] for line in lines}
    assert status.socket.stat().st_mode & 0o777 == 0o700
    assert status.data.stat().st_mode & 0o077 == 0


def test_start_again_changes_nothing(store_settings: Settings) -> None:
    cluster = Cluster(store_settings.home)
    before = cluster.status()
    cluster.start()
    assert cluster.status() == before


@pytest.mark.skipif(not AS_ROOT, reason="the server is switched to another account by root alone")
def test_home_that_the_server_cannot_enter_works(home: Path) -> None:
    home.parent.chmod(0o700)
    cluster = Cluster(home)
    cluster.start()
    assert cluster.status().running
    assert not cluster.status().data.is_relative_to(home)
    cluster.stop()
    cluster.start()
    assert cluster.status().running
    copy = home.parent / "copy"
    shutil.copytree(home, copy)
    with pytest.raises(StoreUnreachable, match="belongs to"):
        Cluster(copy).start()


def test_two_homes_do_not_disturb_each_other(store_settings: Settings, home: Path) -> None:
    first, second = Cluster(store_settings.home), Cluster(home)
    second.start()
    assert first.status().running
    assert first.status().socket != second.status().socket
    assert first.password("diaba") != second.password("diaba")
    with first.connect() as session:
        second.stop()
        with pytest.raises(StoreUnreachable):
            second.connect()
        assert session.execute("SELECT 1").fetchone() == (1,)
    assert first.status().running


def test_nothing_committed_is_lost_and_nothing_half_written_stays_after_kill(city: Database) -> None:
    cluster = city.server.cluster
    assert cluster is not None
    with city.open(Role.WRITER) as connection:
        connection.execute(text("INSERT INTO parcel SELECT 'kept-' || n FROM generate_series(1, 1000) n"))
    session = psycopg.connect(dsn(city.url(Role.WRITER)))
    session.execute("INSERT INTO parcel SELECT 'half-' || n FROM generate_series(1, 1000) n")
    pid = cluster.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while cluster.status().running:
        time.sleep(0.01)
    cluster.start()
    session.close()
    assert cluster.status().pid != pid
    with city.open(Role.READER) as connection:
        rows = connection.execute(text("SELECT left(uid, 4), count(*) FROM parcel GROUP BY 1")).all()
    assert [tuple(row) for row in rows] == [("kept", 1000)]


def test_a_writing_command_that_is_killed_leaves_nothing_half_written(city: Database) -> None:
    script = """
import sys, time
from gis.access.roles import Role
from gis.settings import Settings
from gis.store.database import Database
from sqlalchemy import text
settings = Settings.from_environment()
with Database.of(settings.city("crash"), settings).open(Role.WRITER) as connection:
    connection.execute(text("INSERT INTO parcel VALUES ('half')"))
    print("written", flush=True)
    time.sleep(60)
"""
    environment = {**os.environ, "DIABA_HOME": str(city.city.folder.parent.parent)}
    with subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == b"written\n"
        command.kill()
    with city.open(Role.WRITER) as connection:
        assert connection.scalar(text("SELECT count(*) FROM parcel")) == 0
        connection.execute(text("INSERT INTO parcel VALUES ('half')"))


def test_what_a_crash_left_is_no_obstacle(home: Path) -> None:
    cluster = Cluster(home)
    # A kill in the midst of making the cluster leaves an unfinished folder.
    unfinished = cluster.folder / "data.part"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("15\n")
    cluster.start()
    first = cluster.status().pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    while cluster.status().running:
        time.sleep(0.01)
    assert (cluster.socket / ".s.PGSQL.5432").exists()
    # After a reboot the number in the file may be another process's, here one of PostgreSQL's own name.
    with tempfile.TemporaryDirectory() as elsewhere:
        imitation = Path(elsewhere) / "postgres"
        shutil.copy("/bin/sleep", imitation)
        with subprocess.Popen([imitation, "3600"], cwd=elsewhere) as other:
            try:
                lines = f"{other.pid}\n{cluster.data}\n1700000000\n5432\n{cluster.socket}\n\n  1234567  98304\nready\n"
                (cluster.data / "postmaster.pid").write_text(lines)
                (cluster.socket / ".s.PGSQL.5432.lock").write_text(lines)
                assert not cluster.status().running
                cluster.start()
                assert other.poll() is None
                assert cluster.status().pid not in {first, other.pid, None}
            finally:
                other.kill()


def test_a_server_whose_socket_was_tidied_away_is_started_again(home: Path) -> None:
    cluster = Cluster(home)
    cluster.start()
    pid = cluster.status().pid
    shutil.rmtree(cluster.socket)
    cluster.start()
    assert cluster.status().pid not in {pid, None}
    cluster.connect().close()


def test_two_processes_may_start_at_once(home: Path) -> None:
    script = "import sys, pathlib, gis.store.cluster as c; c.Cluster(pathlib.Path(sys.argv[1])).start()"
    started = [subprocess.Popen([sys.executable, "-c", script, str(home)], stderr=subprocess.PIPE) for _ in range(2)]
    errors = [process.communicate()[1].decode() for process in started]
    assert [process.returncode for process in started] == [0, 0], errors
    assert Cluster(home).status().running


def test_socket_folder_of_somebody_else_is_refused(home: Path) -> None:
    cluster = Cluster(home)
    cluster.socket.mkdir(mode=0o755)
    with pytest.raises(StoreUnreachable, match="belongs to another user"):
        cluster.start()
    assert not cluster.status().running


def test_missing_postgresql_is_said_with_how_to_get_it(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "DEBIAN_FOLDER", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingProgram, match="apt install postgresql"):
        Cluster(home).start()


def test_a_server_that_does_not_run_is_said_in_one_line(home: Path) -> None:
    settings = Settings(home, None, None)
    database = Database.of(settings.city(), settings)
    with pytest.raises(StoreUnreachable, match="diaba db start") as raised, database.open(Role.READER):
        pass
    assert "\n" not in str(raised.value)


def test_a_server_elsewhere_that_does_not_answer_is_said_without_its_password(home: Path) -> None:
    settings = Settings(home, "postgresql://somebody:hidden@127.0.0.1:9/", None)
    database = Database.of(settings.city(), settings)
    with pytest.raises(StoreUnreachable) as raised, database.open(Role.READER):
        pass
    assert "hidden" not in str(raised.value)
    with pytest.raises(StoreUnreachable) as raised:
        database.prepare()
    assert "hidden" not in str(raised.value)
