"""Scene -> Captioned: a caption, a prompt with the concepts' tokens (Gen4Gen's recaptioning), and a long caption."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from builder.records import Captioned, Rejected, Scene
from builder.stages.caption.base import CaptionConfig, Captioner, find_fault
from builder.stages.caption.long_caption import long_caption
from builder.stages.caption.template import Template
from builder.stages.caption.vlm import Vlm

CAPTIONERS: Mapping[str, type[Captioner]] = {"template": Template, "vlm": Vlm}


def caption(
    scenes: Sequence[Scene], backend: Captioner, config: CaptionConfig, seed: int
) -> Iterator[Captioned | Rejected]:
    """Describe each scene; reject words that break a rule of `find_fault`, whichever backend wrote them.

    Long captions are always of the template.
    """
    for scene, words in zip(scenes, backend.caption(scenes, config, seed), strict=True):
        if isinstance(words, Rejected):
            yield words
            continue
        setting = scene.canvas.layout.setting
        if fault := find_fault(words.caption, words.prompt, setting.sample.concepts, config.max_words):
            yield setting.rejected("caption", fault)
        else:
            yield Captioned(
                scene=scene,
                caption=words.caption,
                prompt=words.prompt,
                written_by=words.written_by,
                long_caption=long_caption(scene, seed),
            )
