"""Connect to a Ray cluster, or start one of this machine's cores; find its nodes, and start actors on them."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import threading
from concurrent.futures import Future
from typing import Any, NamedTuple

from builder.engines.base import EngineOptions
from mycanvas.errors import ConfigError, MissingExtra, MyCanvasError
from mycanvas.io.text import shown
from mycanvas.models.device import cores

log = logging.getLogger("mycanvas")

STORE_BYTES = 100 * 2**20
"""Memory of a local cluster for objects: results are short reports."""

LOCAL = "local"
"""Ray's address of a cluster that it starts."""
DEVICES = ("auto", "cuda", "cpu")
TIMEOUT = 10.0
"""Seconds in which a cluster must answer."""
ATTEMPTS = "3"
"""How often Ray asks a cluster before it gives up; each takes up to 40 seconds."""


class Node(NamedTuple):
    """A node that is alive. name: for messages. places: the workers that fit on it."""

    id: str
    name: str
    places: int


class Hired(NamedTuple):
    """A worker, as Ray's handle of an actor, and its node. since: when it was hired, in seconds."""

    actor: Any
    node: Node
    since: float


def connect(options: EngineOptions) -> tuple[Any, bool, str]:
    """Return Ray's module, whether its shutdown is ours, and what a worker occupies: a "CPU" or a "GPU".

    Without an address, and without the environment variable RAY_ADDRESS, a cluster of this machine's cores is started.

    Raises:
        ConfigError: there is no such cluster, it has another version of Ray or of Python, or no such device.
        MissingExtra: Ray is not installed.
    """
    address = _address(options)
    if "://" in address:
        raise ConfigError(
            f'address must be "auto" or HOST:PORT, got "{shown(address)}"; run the command on a node of the cluster'
        )
    if options.learned and options.device not in DEVICES:
        raise ConfigError(
            f'device must be "auto", "cuda" or "cpu" with the engine "ray", which gives each worker a GPU, '
            f"got {options.device!r}"
        )
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", ATTEMPTS)
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # the coming default; the other one warns
    try:
        import ray
    except ImportError as missing:
        raise MissingExtra("ray", extra="ray") from missing
    if ray.is_initialized():
        return ray, False, _kind(ray, options)
    local = {"num_cpus": options.workers or cores(), "object_store_memory": STORE_BYTES, "include_dashboard": False}
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        if parts := re.fullmatch(r"([^\s:]+):([0-9]{1,5})", address):
            socket.create_connection((parts[1], int(parts[2])), TIMEOUT).close()  # Ray itself would wait for minutes
        ray.init(address, logging_level=logging.ERROR, log_to_driver=False, **(local if address == LOCAL else {}))
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise ConfigError(
            f'cannot use the Ray cluster at "{shown(address)}": {str(error).strip()}; correct --address, set '
            "RAY_AUTH_MODE=token if the cluster has a token, start one with `ray start --head`, or give no address to "
            "use this machine"
        ) from error
    finally:
        if in_main:
            signal.signal(signal.SIGTERM, before)  # Ray replaces it
    _request(options, [_demand(_kind(ray, options))] * (options.workers or 0))
    return ray, True, _kind(ray, options)


def disconnect(ray: Any, options: EngineOptions) -> None:
    """End what `connect` began, unless it has ended."""
    if not ray.is_initialized():
        return
    try:
        _request(options, [])
    finally:
        ray.shutdown()


def _address(options: EngineOptions) -> str:
    """The address of the cluster; "local": none is given, so that one of this machine's cores is started."""
    return options.address or os.environ.get("RAY_ADDRESS") or LOCAL


def _request(options: EngineOptions, bundles: list[dict[str, float]]) -> None:
    """Ask the autoscaler of a cluster, if it has one, for the nodes that a bound of the workers allows."""
    if options.workers and _address(options) != LOCAL:
        from ray.autoscaler.sdk import request_resources

        request_resources(bundles=bundles)


def nodes(ray: Any, kind: str) -> list[Node]:
    """The nodes of the cluster at present that have places for workers. kind: what a worker occupies."""
    found = (
        Node(
            id=node["NodeID"],
            name=f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})",
            places=int(min(node["Resources"].get(name, 0) for name in _demand(kind))),
        )
        for node in ray.nodes()
        if node["Alive"]
    )
    return [node for node in found if node.places > 0]


def hire(ray: Any, kind: str, worker: type, node: Node, now: float) -> Hired:
    """Start a worker on a node, as soon as a place is free; it ends when the node dies. now: the time, in seconds."""
    strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node.id, soft=False)
    options = {f"num_{name.lower()}s": number for name, number in _demand(kind).items()}
    actor = ray.remote(worker).options(**options, max_restarts=0, scheduling_strategy=strategy).remote()
    return Hired(actor, node, now)


def outcome(ray: Any, call: Any) -> Future[Any] | None:
    """The result or the error of a task; None if its worker died or cannot be reached."""
    found = _answer(ray, call)
    if found is None:
        return None
    done = Future[Any]()
    done.set_exception(found) if isinstance(found, MyCanvasError) else done.set_result(found)
    return done


def refusal(ray: Any, call: Any) -> str | None:
    """Why a worker cannot work, empty if it can; None if it died or cannot be reached."""
    try:
        return _answer(ray, call)  # type: ignore[no-any-return]
    except ray.exceptions.RayTaskError as error:  # such as an import, where mycanvas is not installed
        return f"its workers fail with {str(error).strip().splitlines()[-1]}"


def _answer(ray: Any, call: Any) -> Any:
    try:
        return ray.get(call)
    except ray.exceptions.RayTaskError:
        raise
    except ray.exceptions.RayError as error:
        log.debug("a worker died: %s", error)
        return None


def _demand(kind: str) -> dict[str, float]:
    """The resources that a worker occupies; one on a GPU needs a core besides."""
    return {"CPU": 1, kind: 1}


def _kind(ray: Any, options: EngineOptions) -> str:
    """A GPU if tasks run models, unless the device is another one or no node has a GPU."""
    if not options.learned or options.device == "cpu":
        return "CPU"
    return "GPU" if options.device == "cuda" or "GPU" in ray.cluster_resources() else "CPU"
