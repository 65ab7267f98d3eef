"""Tiles over processes: the same work here, on this machine's processes, or on a dask.distributed cluster."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any, TypeVar

from gis.errors import BadParameter, DiabaError

SYNCHRONOUS = "synchronous"
ATTEMPTS = 3
"""Times a tile is given to another worker after its worker died."""
IN_FLIGHT = 2
"""Tiles a worker has in hand or waiting: what bounds the memory, together with results nobody took yet."""
CONNECT_SECONDS = 15
RECONNECT_SECONDS = 60
"""How long a scheduler that was lost may take to answer again, and a cluster to have a worker."""
RECONNECTIONS = 3
"""Times a scheduler may be lost without a tile done in between."""

T = TypeVar("T")
TileT = TypeVar("TileT")


class TileFailed(DiabaError):
    """A tile could not be made; the others go on."""

    def __init__(self, tile: str, why: str) -> None:
        self.tile, self.why = tile, why
        super().__init__(f"tile {tile}: {why}")


class SchedulerLost(DiabaError):
    """The cluster went away while it worked; what was done before is done."""

    def __init__(self, address: str, why: str) -> None:
        self.address = address
        super().__init__(f"the dask scheduler {address} {why}; start it and its workers, then run the same again")


class _Disconnected(Exception):
    """The scheduler forgot these tiles."""

    def __init__(self, tiles: list[Any]) -> None:
        self.tiles = tiles
        super().__init__()


def run(
    tiles: Iterable[TileT],
    work: Callable[[TileT], T],
    *,
    scheduler: str | None = None,
    workers: int = 2,
) -> Iterator[tuple[TileT, T | DiabaError]]:
    """Do the work for each tile and yield (tile, result) as results come, in any order.

    Failure of a tile yields the reason in its place. A tile whose worker dies is given to another, up to three times.
    Only so many tiles are in flight that the workers stay busy; further tiles are taken as results are taken, so
    memory is bounded as long as the caller keeps pace. Closing the iterator ends all processes. A scheduler that goes
    away is waited for; when it is back, it is given the tiles it forgot.

    Args:
        tiles: taken one by one; their `key`, if any, names them in reasons.
        work: a pure function that pickles, for example a `functools.partial`; it is sent with each tile, so what is
            large should be read by it rather than bound to it.
        scheduler: the address of a dask scheduler ("tcp://host:8786"), "synchronous" for this process, or None for
            processes on this machine, which talk over 127.0.0.1 alone.
        workers: processes on this machine; numba's threads are shared out between them.

    Raises:
        BadParameter: fewer than one worker, or nothing answers at the address.
        SchedulerLost: the scheduler went away and did not come back, or it has no workers.
    """
    if workers < 1:
        raise BadParameter("workers", workers, "at least one is needed")
    if scheduler == SYNCHRONOUS:
        for tile in tiles:
            yield tile, _outcome(work, tile)
        return
    left = iter(tiles)
    first = list(islice(left, 1))
    if not first:
        return  # no process is started to do nothing
    left = chain(first, left)
    if scheduler is None:
        with _local(workers) as client:
            yield from _streamed(client, left, work)
        return
    losses, seconds = 0, CONNECT_SECONDS
    while True:
        with _remote(scheduler, seconds) as client:
            try:
                for done in _streamed(client, left, work):
                    losses = 0
                    yield done
                return
            except _Disconnected as lost:
                left, losses, seconds = chain(lost.tiles, left), losses + 1, RECONNECT_SECONDS
        if losses > RECONNECTIONS:
            raise SchedulerLost(scheduler, f"was lost {losses} times without finishing a tile")


def _outcome(work: Callable[[TileT], T], tile: TileT) -> T | DiabaError:
    """The result, or what went wrong, as a value: so it crosses process borders without losing its kind."""
    try:
        return work(tile)
    except DiabaError as error:
        return error
    except MemoryError:
        return TileFailed(_name(tile), "not enough memory; make the tiles smaller or the workers fewer")
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        return TileFailed(_name(tile), f"{error.strerror or ' '.join(str(error).split())[:300]}{where}")
    except Exception as error:  # noqa: BLE001  a fault in one tile must not stop the city
        text = " ".join(str(error).split())[:300]
        return TileFailed(_name(tile), f"{type(error).__name__}: {text}")


def _name(tile: object) -> str:
    return str(getattr(tile, "key", tile))


def _streamed(
    client: Any, tiles: Iterator[TileT], work: Callable[[TileT], T]
) -> Iterator[tuple[TileT, T | DiabaError]]:
    """Keep the workers fed; yield what is done and forget it.

    Raises:
        _Disconnected: the scheduler went away, with the tiles that were in flight.
    """
    from distributed import as_completed
    from distributed.client import FutureCancelledError

    room = IN_FLIGHT * max(len(client.scheduler_info()["workers"]), 1)
    in_flight: dict[Any, TileT] = {}

    def submitted(tile: TileT) -> Any:
        future = client.submit(_outcome, work, tile, pure=False)
        in_flight[future] = tile
        return future

    done = as_completed([submitted(tile) for tile in islice(tiles, room)], loop=client.loop)  # type: ignore[no-untyped-call]
    for future in done:
        tile = in_flight[future]
        try:
            result = _result(future, tile)
        except FutureCancelledError:
            raise _Disconnected(list(in_flight.values())) from None
        del in_flight[future]
        future.release()
        for following in islice(tiles, 1):
            done.add(submitted(following))  # type: ignore[no-untyped-call]
        yield tile, result


def _result(future: Any, tile: object) -> Any:
    """What a future holds, with the cluster's own failures as reasons, but for that of the scheduler itself."""
    from distributed import KilledWorker
    from distributed.client import FutureCancelledError

    try:
        return future.result()
    except KilledWorker:
        return TileFailed(
            _name(tile), f"its worker process died {ATTEMPTS + 1} times, perhaps for lack of memory; make tiles smaller"
        )
    except FutureCancelledError:
        raise
    except Exception as error:  # noqa: BLE001  for example a result that does not pickle
        return TileFailed(_name(tile), f"the cluster lost it ({type(error).__name__}: {str(error)[:200]})")


def _settings() -> Any:
    import dask

    settings = {
        "distributed.scheduler.allowed-failures": ATTEMPTS,
        "distributed.comm.timeouts.connect": f"{CONNECT_SECONDS}s",
        "distributed.admin.large-graph-warning-threshold": "1GB",
    }
    return dask.config.set(settings)


@contextmanager
def _remote(address: str, seconds: int) -> Iterator[Any]:
    """A connection to the cluster at an address, which has that long to answer.

    Raises:
        BadParameter: nothing answered the first time.
        SchedulerLost: nothing answered any more, or it has no workers.
    """
    from distributed import Client

    logging.getLogger("distributed.client").setLevel(
        logging.CRITICAL
    )  # what it says of a loss is said in one line here
    with _settings():
        deadline = time.monotonic() + seconds
        while True:
            try:
                client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
                break
            except (OSError, TimeoutError, ValueError) as error:
                if seconds == CONNECT_SECONDS:
                    raise BadParameter("scheduler", address, "no dask scheduler answers at this address") from error
                if time.monotonic() > deadline:
                    raise SchedulerLost(address, f"went away and did not answer for {seconds} s") from error
                time.sleep(0.5)
        with client:
            try:
                client.wait_for_workers(1, timeout=RECONNECT_SECONDS)
            except TimeoutError as error:
                raise SchedulerLost(address, f"had no worker for {RECONNECT_SECONDS} s") from error
            yield client


@contextmanager
def _local(workers: int) -> Iterator[Any]:
    """A connection to a cluster of our own on this machine, which ends with it."""
    from distributed import Client, LocalCluster

    threads = str(max((os.cpu_count() or 1) // workers, 1))
    with (
        _settings(),
        tempfile.TemporaryDirectory(prefix="diaba-dask-", ignore_cleanup_errors=True) as scratch,
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address=None,
            silence_logs=logging.CRITICAL,
            local_directory=scratch,
            env={"NUMBA_NUM_THREADS": threads, "OMP_NUM_THREADS": threads},
        ) as cluster,
        Client(cluster, set_as_default=False) as client,  # type: ignore[no-untyped-call]
    ):
        client.register_plugin(_threads())
        yield client


def _threads() -> Any:
    """A plugin that makes numba take the number of threads a worker is given.

    By itself it keeps the one it was imported with, which a program's main module may have done before the worker is
    told; and once threads run it refuses to compile under another.
    """
    from distributed import WorkerPlugin

    class Threads(WorkerPlugin):
        name = "diaba-threads"

        def setup(self, worker: Any) -> None:
            from numba.core import config
            from numba.np.ufunc import parallel

            config.reload_config()  # type: ignore[no-untyped-call]
            parallel.NUM_THREADS = parallel.get_thread_count()  # type: ignore[no-untyped-call]

    return Threads()
