"""`mycanvas push`: publish a built dataset, or a trained model, on the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from builder.cli.options import PATH, folder_argument, json_option
from builder.cli.output import print_result


@click.command()
@folder_argument
@click.argument("repo_id", metavar="USER/NAME")
@click.option("--private", is_flag=True, help="Create a private repository.")
@click.option("--revision", default="main", show_default=True, help="Branch; created if it does not exist.")
@click.option("--license", help="License of the dataset, such as CC-BY-4.0.  [default: the build's]")
@click.option("--all-photos", is_flag=True, help="Publish source photos that no scene shows, too.")
@click.option(
    "--pairs", type=PATH, metavar="DIR", help="Also publish pairs: a folder written by `export --format pairs`."
)
@click.option("--report", is_flag=True, help="Also publish the report of `inspect --html`; it shows every photo.")
@click.option("--dry-run", is_flag=True, help="Print what would be uploaded, and upload nothing.")
@json_option
def push(folder: Path, repo_id: str, report: bool, as_json: bool, **options: Any) -> None:
    """Publish a dataset or a trained model on the Hugging Face Hub.

    The source photos that its scenes show are published with it, and the backgrounds as parts of scenes.
    Log in once with `hf auth login`. The dataset becomes visible when all of it is uploaded. After an
    interruption, the same command resumes; a later push uploads only what changed.

    \b
    Example:
      mycanvas push mycanvas_data jane/mycanvas --dry-run
      mycanvas push mycanvas_data jane/mycanvas --private --license CC-BY-4.0
      mycanvas push mycanvas_data jane/mycanvas --private --pairs mycanvas_pairs
      mycanvas push cat2_dog6 jane/cat2-dog6 --private
    """
    from builder.publish.model import is_training, push_model

    if is_training(folder):
        print_result(push_model(folder, repo_id, **_options_of_models(report=report, **options)), as_json)
        return
    from builder.inspect.report.page import published_report
    from builder.publish.push import push as publish

    print_result(publish(folder, repo_id, report=published_report if report else None, **options), as_json)


def _options_of_models(**options: Any) -> dict[str, Any]:
    """The options that a model has too.

    Raises:
        ConfigError: another one was given.
    """
    from mycanvas.errors import ConfigError

    of_datasets = ("license", "all_photos", "pairs", "report")
    if given := [name for name in of_datasets if options[name]]:
        raise ConfigError(
            f"--{given[0].replace('_', '-')} is an option for datasets; this folder holds a trained model"
        )
    return {name: value for name, value in options.items() if name not in of_datasets}
