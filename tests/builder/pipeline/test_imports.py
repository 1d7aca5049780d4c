from __future__ import annotations

import subprocess
import sys


def test_composing_scenes_imports_neither_networks_nor_the_libraries_of_segmenting() -> None:
    heavy = {"datasets", "scipy", "skimage", "torch", "transformers"}
    program = f"import sys, builder.pipeline.shard; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
