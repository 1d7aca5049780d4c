"""`python -m builder` is `mycanvas`, for where the console script is not on the PATH."""

from builder.cli.start import run

if __name__ == "__main__":
    run()
