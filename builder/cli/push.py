"""`mycanvas push`: publish a built dataset on the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path

import click

from builder.cli.options import folder_argument, json_option
from builder.cli.output import print_result


@click.command()
@folder_argument
@click.argument("repo_id", metavar="USER/NAME")
@click.option("--private", is_flag=True, help="Create a private repository.")
@click.option("--revision", default="main", show_default=True, help="Branch; created if it does not exist.")
@click.option("--license", help="License of the dataset, such as CC-BY-4.0.  [default: the build's]")
@click.option("--dry-run", is_flag=True, help="Print what would be uploaded, and upload nothing.")
@json_option
def push(
    folder: Path, repo_id: str, private: bool, revision: str, license: str | None, dry_run: bool, as_json: bool
) -> None:
    """Publish a built dataset on the Hugging Face Hub.

    Log in once with `hf auth login`. The dataset becomes visible when all of it is uploaded. After an
    interruption, the same command resumes; a later push uploads only what changed.

    \b
    Example:
      mycanvas push mycanvas_data jane/mycanvas --dry-run
      mycanvas push mycanvas_data jane/mycanvas --license CC-BY-4.0
    """
    from builder.publish.push import push as publish

    done = publish(folder, repo_id, private=private, revision=revision, license=license, dry_run=dry_run)
    print_result(done, as_json)
