"""Run the benchmarks that require no photos, each in a process of its own: python -m tests.benchmarks."""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = (
    "bench_build",
    "bench_compose",
    "bench_engines",
    "bench_export",
    "bench_growing",
    "bench_loader",
    "bench_memory",
    "bench_metrics",
    "bench_million",
    "bench_paint",
    "bench_repaint",
    "bench_training",
)


def main() -> None:
    """Runs each and stops at the first that fails."""
    for name in BENCHMARKS:
        print(f"\n{name}", flush=True)
        subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}"], check=True)


if __name__ == "__main__":
    main()
