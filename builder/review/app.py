"""The application of the review server: our routes, and Gradio's page mounted below them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles

from builder.review.answers import add_error_answers

PAGES = Path(__file__).parent / "pages"
"""The scripts and styles of the tabs."""
SYSTEM_FONTS = ("system-ui", "sans-serif"), ("ui-monospace", "monospace")
"""Fonts that are on every machine: nothing is fetched from the network."""


def make_app(path: str, routers: Sequence[APIRouter], facts: Mapping[str, Any]) -> FastAPI:
    """Make the application without its page.

    Args:
        path: below which everything is served, without a slash at its end.
        routers: the routes of the tabs.
        facts: for the scripts: a key of the dataset, and the rater if one was given.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    add_error_answers(app)

    def read_facts() -> dict[str, Any]:
        return dict(facts)

    app.add_api_route(f"{path}/api/facts", read_facts, methods=["GET"])
    for router in routers:
        app.include_router(router, prefix=path)
    app.mount(f"{path}/pages", StaticFiles(directory=PAGES))
    return app


async def add_page(app: FastAPI, path: str, tabs: Mapping[str, str]) -> None:
    """Mount the page, which Gradio draws. In a running loop: without one, Gradio makes loops and never closes them.

    Args:
        app: the result of `make_app`.
        path: as there.
        tabs: the title of each tab, by the name of its script in pages/; a study is shown first.
    """
    import gradio

    first = "study" if "study" in tabs else next(iter(tabs))
    with (
        gradio.Blocks(title="MyCanvas review", analytics_enabled=False, fill_width=True) as blocks,
        gradio.Tabs(selected=first),
    ):
        for name, title in tabs.items():
            with gradio.Tab(title, id=name):
                gradio.HTML(
                    html_template=f'<div class="mc" data-tab="{name}"></div>',
                    js_on_load=_START.replace("NAME", name),
                    apply_default_css=False,
                )
    fonts, mono = (tuple(gradio.themes.Font(name) for name in names) for names in SYSTEM_FONTS)
    gradio.mount_gradio_app(
        app,
        blocks,
        path,
        footer_links=[],
        run_history=False,
        allowed_paths=[],
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=gradio.themes.Base(font=fonts, font_mono=mono),
        head='<link rel="stylesheet" href="pages/review.css"><link rel="icon" href="data:,">',
    )


_START = """
import(new URL("pages/NAME.js", document.baseURI).href).then((page) => page.start(element.querySelector(".mc")));
"""
"""Starts the script of a tab in its element, when Gradio has drawn it."""
