"""`mycanvas push`: publish a built dataset on the Hugging Face Hub."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("repo_id", metavar="USER/NAME")
@click.option("--private", is_flag=True, help="Let nobody else see it.")
@click.option("--revision", default="main", show_default=True, help="Branch; made where there is none.")
@click.option("--license", help="Of the whole, such as CC-BY-4.0.  [default: the build's]")
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def push(
    folder: Path, repo_id: str, private: bool, revision: str, license: str | None, dry_run: bool, as_json: bool
) -> None:
    """Publish a built dataset on the Hugging Face Hub.

    Log in once with `hf auth login`. Nothing is visible before all is there; an interrupted push
    goes on where it stopped. When it is pushed again, only what changed is sent.

    \b
    Example:
      mycanvas push mycanvas_data jane/mycanvas --dry-run
      mycanvas push mycanvas_data jane/mycanvas --license CC-BY-4.0
    """
    from builder.publish.push import push as publish

    done = publish(folder, repo_id, private=private, revision=revision, license=license, dry_run=dry_run)
    click.echo(json.dumps(done.as_json(), indent=1) if as_json else "\n".join(done.lines()))
