"""Kill workers and nodes of a Ray cluster, other than its head, while builds run, and the builds themselves."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import psutil

from tests.kills.campaign import PARENT, Campaign
from tests.kills.commands import Command
from tests.kills.places import Folder, Stages
from tests.ray_nodes import ENVIRONMENT, Node, cluster, wait_until

CORE = "--num-cpus=1"
EACH = {"Ray worker": 3, "raylet": 2}
"""Kills of one build at most: a task is tried four times. They are fewer where the build ends before."""
WORK = "many shards"


def kill_on_ray(campaign: Campaign, workers: int, raylets: int, parents: int) -> None:
    """Kill so many Ray workers, raylets (with all of their node) and commands, on a cluster of two nodes."""
    with cluster(CORE, CORE) as nodes:
        on_ray = OnRay(campaign, nodes)
        on_ray.survive("Ray worker", workers, on_ray.kill_worker)
        on_ray.survive("raylet", raylets, on_ray.replace_node)
        way = replace(PARENT, hit=on_ray.kill_command)
        campaign.disturb(WORK, way, parents, on_ray.words, on_ray.folder, "parent on Ray")


class OnRay:
    """Builds on a cluster."""

    def __init__(self, campaign: Campaign, nodes: list[Node]) -> None:
        self._campaign, self._nodes = campaign, nodes
        self.words = ("--engine", "ray", "--address", nodes[0].address, "--workers", "2")

    def folder(self, name: str) -> Folder:
        """As `Campaign.folder`, of commands that use the cluster."""
        return Folder(self._campaign.scratch / name / "out", self._campaign.scratch / name / "cache", ENVIRONMENT)

    def survive(self, kind: str, times: int, kill: Callable[[], bool]) -> None:
        """Kill something, so often, while builds run, each of which must end well by itself."""
        campaign, work, left = self._campaign, self._campaign.works[WORK], times
        campaign.expected(work, self.folder)
        while left > 0 and not campaign.is_spoilt():
            place = campaign.fresh(work, self.folder)
            stages, command = Stages(place.folder, work.plans), campaign.start(work.words, place, *self.words)
            for _ in range(min(left, EACH[kind])):
                campaign.wait(command, work, place, stages)
                while not command.has_ended():
                    stage = stages.now(place.folder)
                    if kill():
                        campaign.hits[kind, WORK, stage] += 1
                        left -= 1
                        break
            if not campaign.check(command, {0: ""}, f"{WORK}, {kind}"):
                campaign.compare(work, place, self.folder, f"{WORK}, {kind}")

    def kill_worker(self) -> bool:
        """Kill a worker that runs a task now, if there is one; returns whether there was."""
        workers = [worker for node in self._nodes for worker in node.workers()]
        try:
            self._campaign.draw.choice(workers).kill()
        except (IndexError, psutil.NoSuchProcess):
            return False
        return True

    def replace_node(self) -> bool:
        """Kill the node that is not the head, while it runs a task, and start another one."""
        if not self._nodes[1].workers():
            return False
        self._nodes[1].kill()
        self._nodes[1].stop()
        address = self._nodes[0].address
        self._nodes[1] = Node(address, f"--address={address}", CORE)
        self._nodes[1].wait_for_start()
        return True

    def kill_command(self, command: Command, _draw: random.Random) -> bool:
        """Kill a build, and wait until its tasks have ended."""
        was_killed = command.kill()
        wait_until(lambda: not any(node.workers() for node in self._nodes))
        return was_killed
