"""Shards spread over the workers of a Ray cluster, by Ray Data.

A shard is one row of the data set, and one task unless there are thousands. Ray Data holds names and counts only;
the texts go from the folder to a worker and from the worker to the output, chunk by chunk, so a shard may be larger
than the memory. Where a worker dies, Ray starts another and gives it the shard again; that no row comes twice is the
work of :mod:`runtime.folders.shards`. Folder, output and bundle must have the same path on every machine.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from runtime.backends import usable_processors
from runtime.errors import BackendError, BundleError, ConfigError, GMError, kind_of, of_kind
from runtime.extras import needs_extra
from runtime.folders.shards import Job, Outcome, try_shard

if TYPE_CHECKING:
    from runtime.classifier import Classifier

# Ray's data pass through its object store; ours do not. This is little more than the least it starts with.
_OBJECT_STORE = 128 << 20
# A task takes Ray about 10 ms of one process: beyond this number, several shards make one.
_TASKS = 1024
_TASKS_A_WORKER = 16
_ANSWERS_WITHIN_S = 10.0
# The path of a socket has room for about a hundred characters.
_SHORT_PATH = "/tmp" if os.name == "posix" else None
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Keeps Ray from printing, even on stdout, such news as a worker's death. Whatever ends a run is raised.
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    # By default Ray Data gives up when no task ends for half an hour; a large shard may take longer.
    "RAY_DATA_EXECUTION_NO_PROGRESS_TIMEOUT_S": "-1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@dataclass(frozen=True, slots=True)
class OnRay:
    """Spreads shards over a cluster; a :data:`runtime.folders.folder.Spread`.

    Attributes:
        address: of a running cluster, or ``auto``; empty: start one on this machine, for this run.
        workers: processes that classify; 0: one for every ``threads`` processors of the cluster.
        threads: of each worker.
    """

    address: str
    workers: int
    threads: int

    def __call__(self, classifier: Classifier, job: Job, names: Sequence[str]) -> Iterator[Outcome]:
        """Yield the outcome of each shard as it is done.

        Raises:
            ConfigError: Ray is not installed, the cluster cannot be joined, or none of its machines has ``threads``
                processors.
            BackendError: Ray gave up; what is done stays done.
            GMError: a worker cannot load the bundle.
        """
        os.environ.update(_SETTINGS)
        if not self.address:
            # The ports of a cluster are open to the network, and it runs what it is sent: only with this run's
            # secret, which Ray reads when it is imported.
            os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
        with needs_extra("--engine ray", "ray"):
            import ray
            import ray.data
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        # A cluster started for this run claims as many processors as its workers ask for, even if there are fewer.
        with _cluster(ray, self.address, max(self.workers, 1) * self.threads):
            _check_room(ray, self.threads)
            workers = max(self.workers or int(ray.cluster_resources().get("CPU", 1)) // self.threads, 1)
            tasks = min(len(names), max(_TASKS, _TASKS_A_WORKER * workers))
            rows = ray.data.from_items([{"name": name} for name in names], override_num_blocks=tasks).map(
                _Worker,
                fn_constructor_args=(classifier.arguments(), job),
                # One at a time: a shard queued behind a long one could not be taken by an idle worker.
                compute=ray.data.ActorPoolStrategy(size=min(workers, tasks), max_tasks_in_flight_per_actor=1),
                num_cpus=self.threads,
            )
            try:
                yield from map(_outcome, rows.iter_rows())
            except ray.exceptions.RayError as error:
                raise BackendError(f"Ray gave up ({_line(error)}); run the same command again to go on") from error


class _Worker:
    """Classifies shards in a process of the cluster, with a classifier that it opens once."""

    def __init__(self, arguments: Mapping[str, Any], job: Job) -> None:
        self._arguments = arguments
        self._job = job
        self._classifier: Classifier | None = None

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of the :class:`Outcome`, and whether the whole run should end with it."""
        try:
            self._classifier = self._classifier or self._opened()
        except GMError as error:
            # Fatal: a worker without a bundle is always idle, and would soon have failed all shards.
            message = f"worker on {socket.gethostname()}: {error}"
            return asdict(Outcome(row["name"], kind=kind_of(error), error=message)) | {"fatal": True}
        return asdict(try_shard(self._classifier, self._job, row["name"])) | {"fatal": False}

    def _opened(self) -> Classifier:
        # Imported here: only a worker needs it, and only once.
        from runtime.classifier import Classifier

        classifier = Classifier(**self._arguments)
        if classifier.bundle.sha256 != self._job.bundle:
            where = classifier.bundle.path
            raise BundleError(f"{where} is not the bundle that the run began with; give all machines the same")
        return classifier


@contextmanager
def _cluster(ray: ModuleType, address: str, processors: int) -> Iterator[None]:
    # Ray's own place for its sockets and logs is shared by all users of a machine, and keeps them for ever.
    with tempfile.TemporaryDirectory(prefix="gm-ray-", dir=_SHORT_PATH, ignore_cleanup_errors=True) as folder:
        try:
            _join(ray, address, processors, folder)
            yield
        finally:
            ray.shutdown()


def _join(ray: ModuleType, address: str, processors: int, folder: str) -> None:
    settings: dict[str, Any] = {"address": address, "log_to_driver": False, "logging_level": logging.ERROR}
    if not address:
        settings |= {
            "address": "local",
            "num_cpus": max(processors, usable_processors()),
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE,
            "_temp_dir": folder,
        }
    try:
        _check_reachable(address)
        with _without_native_stderr():
            ray.init(**settings)
    except Exception as error:  # what Ray raises when it cannot start or join is not documented
        raise ConfigError(
            f"no Ray cluster at {address or 'this machine'} ({_line(error)}); see --ray-address"
        ) from error


def _check_room(ray: ModuleType, threads: int) -> None:
    # Ray would wait for ever for a worker that asks for more processors than any machine has.
    largest = max((node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]), default=0)
    if threads > largest:
        raise ConfigError(
            f"no machine of the Ray cluster has the {threads} processors that --threads asks for, "
            f"the largest has {largest:g}; lower --threads, which are those of each worker"
        )


def _check_reachable(address: str) -> None:
    # Where nobody answers, Ray itself gives up after several minutes.
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWERS_WITHIN_S).close()


@contextmanager
def _without_native_stderr() -> Iterator[None]:
    # Ray's native part writes about the settings above to stderr, past Python; errors are raised anyway.
    with open(os.devnull, "wb") as nothing:
        kept = os.dup(2)
        os.dup2(nothing.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _outcome(row: dict[str, Any]) -> Outcome:
    if row.pop("fatal"):
        raise of_kind(row["kind"], row["error"])
    return Outcome(**row)


def _line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]:.300}"
