"""Kill builds at a URL of an S3 server that refuses and loses requests; another machine may resume them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.kills.campaign import Campaign, Places
from tests.kills.places import Url
from tests.s3_server import s3_server

BUCKET = "kills"


@contextmanager
def s3_places(campaign: Campaign) -> Iterator[Places]:
    """Start a server; gives what makes new places on it."""
    import s3fs

    with s3_server(faults=True) as environment:
        files = s3fs.S3FileSystem(
            use_listings_cache=False,
            key=environment["AWS_ACCESS_KEY_ID"],
            secret=environment["AWS_SECRET_ACCESS_KEY"],
            endpoint_url=environment["AWS_ENDPOINT_URL"],
        )
        files.mkdir(BUCKET)
        yield lambda name: Url(f"s3://{BUCKET}/{name}", files, campaign.scratch / name, environment)
        s3fs.S3FileSystem.clear_instance_cache()
