"""The private PostgreSQL server of an installation: made, started and stopped here, reachable by its socket alone."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from gis.errors import StoreUnreachable
from gis.files import written_whole
from gis.store import programs, secret_files
from gis.store.postmaster import Postmaster

SUPERUSER = "diaba"
PORT = 5432
"""Names the socket; no network port is opened."""
SYSTEM_FOLDER = Path("/var/lib/diaba")
"""Where the data lie when the server's account cannot enter the installation's home."""
START_SECONDS = 300.0
"""Time for crash recovery before a start counts as failed."""
STOP_SECONDS = 60.0
SETTINGS_FILE = "diaba.conf"
SETTINGS = """\
# Tuning of the private cluster; edit and restart (diaba db stop, diaba db start).
shared_buffers = {shared_buffers}MB
effective_cache_size = {cache}MB
work_mem = 32MB
maintenance_work_mem = 256MB
max_connections = 200
max_wal_size = 2GB
checkpoint_timeout = 15min
random_page_cost = 1.1
max_parallel_workers_per_gather = 1
jit = off
logging_collector = on
log_directory = 'log'
log_filename = 'postgresql-%a.log'
log_truncate_on_rotation = on
log_rotation_age = 1d
log_rotation_size = 0
log_parameter_max_length = 0
"""


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """What is known of the private cluster."""

    running: bool
    pid: int | None
    data: Path
    """Data folder; below /var/lib/diaba when the server's account cannot enter the home."""
    socket: Path
    version: str | None
    """Major version the data folder was made by; None before the first start."""
    account: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """The private cluster of one home. Two homes share nothing."""

    home: Path

    @property
    def folder(self) -> Path:
        """Its folder in the home: lock, secrets, and the data where they can lie there."""
        return self.home / "cluster"

    @property
    def secrets(self) -> Path:
        """Folder of the passwords, closed to others."""
        return self.folder / "secrets"

    @property
    def data(self) -> Path:
        """PostgreSQL's data folder, as remembered, else inside of the home."""
        remembered = self.folder / "data_folder"
        return Path(remembered.read_text(encoding="utf-8").strip()) if remembered.exists() else self.folder / "data"

    @property
    def socket(self) -> Path:
        """Folder of the socket: short, because a socket's path has at most 107 bytes."""
        return Path("/tmp") / f"diaba-{programs.account(self.data).uid}-{self._hash}"  # noqa: S108  its owner is checked

    @property
    def _hash(self) -> str:
        return hashlib.sha256(os.fsencode(self.home.resolve())).hexdigest()[:16]

    def start(self) -> None:
        """Make the cluster if there is none and start it if it does not run; returns when it answers.

        Raises:
            MissingProgram: PostgreSQL is not installed.
            ProgramFailed: the cluster could not be made.
            StoreUnreachable: the server did not come up.
        """
        with self._locked():
            account = programs.account(self.data)
            self._claim_data()
            if not (self.data / "PG_VERSION").exists():
                self._make(account)
            postmaster = Postmaster(self.data)
            if postmaster.pid() is not None and not (self.socket / f".s.PGSQL.{PORT}").exists():
                # Systems that tidy /tmp may take the socket from under a server, which nobody reaches then.
                postmaster.end(signal.SIGINT, STOP_SECONDS)
            if postmaster.pid() is None:
                self._prepare_socket(account)
                postmaster.clear_stale()
                self._launch(account, postmaster)

    def stop(self) -> bool:
        """End all sessions and stop the server. Returns whether it ran.

        Raises:
            StoreUnreachable: it does not stop.
        """
        if not self.folder.exists():
            return False
        with self._locked():
            postmaster = Postmaster(self.data)
            if postmaster.pid() is None:
                return False
            # A fast shutdown ends sessions in order; the second signal is safe too, at the price of a recovery.
            for how, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 10.0)):
                if postmaster.end(how, seconds):
                    shutil.rmtree(self.socket, ignore_errors=True)
                    return True
            raise StoreUnreachable(str(self.data), "the server does not stop")

    def status(self) -> ClusterStatus:
        """What there is and whether it runs."""
        account = programs.account(self.data)
        data = self.data
        try:
            version = (data / "PG_VERSION").read_text(encoding="ascii").strip()
        except OSError:
            version = None
        pid = Postmaster(data).pid() if version else None
        return ClusterStatus(pid is not None, pid, data, self.socket, version, account.name)

    def password(self, login: str) -> str:
        """The password of a login, made at first use."""
        return secret_files.password(self.secrets, login)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time makes, starts or stops a cluster."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o755)
            handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnreachable(str(self.folder), error.strerror or str(error)) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        except PermissionError as error:
            raise StoreUnreachable(str(error.filename or self.folder), "it belongs to another user") from error
        finally:
            os.close(handle)

    def _make(self, account: programs.Account) -> None:
        base = self._base(account)
        data, part = base / "data", base / "data.part"
        if part.exists():
            shutil.rmtree(part)
        password = base / ".initial"
        password.unlink(missing_ok=True)
        try:
            password.touch(mode=0o600)
            password.write_text(self.password(SUPERUSER), encoding="ascii")
            os.chown(password, account.uid, account.gid)
            part.mkdir(mode=0o700)
            os.chown(part, account.uid, account.gid)
            programs.run(
                [
                    programs.program("initdb"),
                    *("--pgdata", part),
                    *("--username", SUPERUSER),
                    *("--pwfile", password),
                    *("--encoding", "UTF8"),
                    *("--locale", "C.UTF-8"),
                    *("--auth", "scram-sha-256"),
                    "--data-checksums",
                ],
                by=account,
            )
        finally:
            password.unlink(missing_ok=True)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
        tuning = SETTINGS.format(shared_buffers=min(512, max(32, memory // 8)), cache=max(128, memory // 4))
        (part / SETTINGS_FILE).write_text(tuning, encoding="ascii")
        os.chown(part / SETTINGS_FILE, account.uid, account.gid)
        with (part / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.write(f"\ninclude_if_exists '{SETTINGS_FILE}'\n")
        part.rename(data)

    def _claim_data(self) -> None:
        """Make sure that data outside of the home are this home's: a copy of a home must not use the original's."""
        owner = self.data.parent / "home"
        if self.data.is_relative_to(self.home) or not owner.exists():
            return
        other = Path(owner.read_text(encoding="utf-8"))
        if other != self.home and other.exists():
            raise StoreUnreachable(str(self.data), f"it belongs to {other}; to start anew here delete {self.folder}")
        owner.write_text(str(self.home), encoding="utf-8")

    def _base(self, account: programs.Account) -> Path:
        """The folder that takes the data: in the home if the server's account can enter it."""
        if not account.switch or _can_enter(self.folder, account):
            return self.folder
        base = SYSTEM_FOLDER / self._hash
        base.mkdir(parents=True, exist_ok=True, mode=0o755)
        (base / "home").write_text(str(self.home), encoding="utf-8")
        with written_whole(self.folder / "data_folder") as part:
            part.write_text(str(base / "data"), encoding="utf-8")
        return base

    def _prepare_socket(self, account: programs.Account) -> None:
        folder = self.socket
        try:
            folder.mkdir(mode=0o700)
            os.chown(folder, account.uid, account.gid)
        except FileExistsError:
            state = folder.lstat()
            if not stat.S_ISDIR(state.st_mode) or state.st_uid != account.uid or state.st_mode & 0o077:
                raise StoreUnreachable(str(folder), "the socket's folder belongs to another user") from None
        for leftover in folder.glob(f".s.PGSQL.{PORT}*"):
            leftover.unlink()

    def _launch(self, account: programs.Account, postmaster: Postmaster) -> None:
        data = self.data
        major = (data / "PG_VERSION").read_text(encoding="ascii").strip()
        log = data / "start.log"
        with log.open("wb") as output:
            os.chown(log, account.uid, account.gid)
            server = subprocess.Popen(
                [
                    programs.program("postgres", major),
                    *("-D", data),
                    *("-k", self.socket),
                    *("-p", str(PORT)),
                    *("-c", "listen_addresses="),
                    *("-c", "unix_socket_permissions=0700"),
                    *("-c", "fsync=on"),
                    *("-c", "full_page_writes=on"),
                    *("-c", "password_encryption=scram-sha-256"),
                ],
                env=programs.environment(),
                cwd="/",
                user=account.uid if account.switch else None,
                group=account.gid if account.switch else None,
                extra_groups=[] if account.switch else None,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not postmaster.is_ready():
            if server.poll() is not None:
                told = log.read_text(encoding="utf-8", errors="replace") + _last_log(data)
                raise StoreUnreachable(str(data), programs.reason(told, server.returncode))
            if time.monotonic() > deadline:
                raise StoreUnreachable(str(data), f"the server is not ready after {START_SECONDS:.0f} s")
            time.sleep(0.02)
        self.connect().close()

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        """A session of the cluster's administrator, each statement its own transaction.

        Raises:
            StoreUnreachable: the server does not answer.
        """
        try:
            return psycopg.connect(
                host=str(self.socket),
                port=PORT,
                user=SUPERUSER,
                password=self.password(SUPERUSER),
                dbname=database,
                autocommit=True,
                connect_timeout=10,
            )
        except psycopg.OperationalError as error:
            raise StoreUnreachable(str(self.socket), str(error).strip().splitlines()[0]) from error


def _can_enter(folder: Path, account: programs.Account) -> bool:
    """Whether the account gets through to the folder: asked of the system itself, as that account."""
    asked = subprocess.run(
        ["/usr/bin/test", "-x", folder],
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    return asked.returncode == 0


def _last_log(data: Path) -> str:
    logs = sorted((data / "log").glob("*.log"), key=lambda file: file.stat().st_mtime)
    return "\n".join(logs[-1].read_text(encoding="utf-8", errors="replace").splitlines()[-20:]) if logs else ""
