"""Many raters at once, and a server that is killed: nothing acknowledged is lost, nothing is stored twice."""

from __future__ import annotations

import http.client
import json
import sqlite3
import threading
import time
import uuid
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from mycanvas.ratings.store import RatingStore
from tests.builder.review.chromium import Server

RATERS = 20
PATIENCE = 120
"""Seconds after which a busy machine is given up."""


@dataclass(kw_only=True, slots=True)
class Rater:
    """sent: scene and score of each event, by id. saved: the ids that were acknowledged. seconds: of each answer."""

    name: str
    sent: dict[str, tuple[str, int]] = field(default_factory=dict)
    saved: set[str] = field(default_factory=set)
    seconds: list[float] = field(default_factory=list)

    def rate(self, server: Server, cookie: str, path: str, scenes: list[str], until: float) -> None:
        """Rank scene after scene until a time, or until the server is gone; every third rank is sent twice."""
        headers = {"Cookie": cookie, "Origin": f"http://127.0.0.1:{server.port}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        number = 0
        try:
            while time.monotonic() < until:
                name, item, score = str(uuid.uuid4()), scenes[number % len(scenes)], 1 + number % 5
                body = json.dumps({"id": name, "rater": self.name, "item": item, "score": score})
                self.sent[name] = item, score
                for _ in range(2 if number % 3 == 0 else 1):
                    begun = time.monotonic()
                    connection.request("POST", f"{path}/api/ranks", body, headers)
                    answer = connection.getresponse()
                    answer.read()
                    assert answer.status == 200
                    self.seconds.append(time.monotonic() - begun)
                    self.saved.add(name)
                number += 1
        except (OSError, http.client.HTTPException):
            return
        finally:
            connection.close()


def campaign(folder: Path, ranks: int, seconds: float = 0) -> list[Rater]:
    """Let all raters rank at once; kill the server when each has so many ranks saved, and after so many seconds."""
    raters = [Rater(name=f"rater {number}") for number in range(RATERS)]
    with Server(folder) as server:
        cookie, path = session(server)
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("GET", f"{path}/api/scenes?rater=x", headers={"Cookie": cookie})
        scenes = [scene["id"] for scene in json.loads(connection.getresponse().read())["order"]]
        connection.close()
        end = time.monotonic() + seconds
        until = end + PATIENCE
        threads = [threading.Thread(target=rater.rate, args=(server, cookie, path, scenes, until)) for rater in raters]
        for thread in threads:
            thread.start()
        while time.monotonic() < until and (time.monotonic() < end or any(len(each.saved) < ranks for each in raters)):
            time.sleep(0.05)
        server.kill()
        for thread in threads:
            thread.join()
    return raters


def session(server: Server) -> tuple[str, str]:
    """The cookie and the path of a server's session."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    path = server.address.split(f":{server.port}")[1]
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return str(answer.getheader("Set-Cookie")).split(";")[0], path.split("/?")[0]


def check(folder: Path, raters: list[Rater]) -> None:
    """Compare the stored events with those that were sent and acknowledged, and the current ranks with the newest."""
    file = folder / ".build" / "review.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        stored = [name for (name,) in connection.execute("SELECT id FROM events ORDER BY number")]
    assert len(stored) == len(set(stored))
    assert {name for rater in raters for name in rater.saved} <= set(stored), "an acknowledged rank is lost"
    assert set(stored) <= {name for rater in raters for name in rater.sent}
    ranks = {(each.rater, each.item): each.score for each in RatingStore(file).ratings()}
    kept = set(stored)
    assert ranks == {
        (rater.name, item): score for rater in raters for name, (item, score) in rater.sent.items() if name in kept
    }


def test_acknowledged_ranks_survive_a_kill(dataset: Path) -> None:
    raters = campaign(dataset, 5)

    check(dataset, raters)
    assert all(len(rater.saved) >= 5 for rater in raters)


@pytest.mark.long
def test_twenty_raters_for_a_minute(dataset: Path) -> None:
    raters = campaign(dataset, 5, 60)

    check(dataset, raters)
    seconds = [each for rater in raters for each in rater.seconds]
    median, late = np.quantile(seconds, (0.5, 0.99))
    print(f"{len(seconds)} requests by {RATERS} raters; median {median * 1000:.0f} ms, 99 % {late * 1000:.0f} ms")
