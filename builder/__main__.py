"""`python -m builder` is `mycanvas`, for where the console script is not on the PATH."""

from builder.cli.entry_point import run

if __name__ == "__main__":
    run()
