"""`python -m builder` is `mycanvas`, for where the console script is not on the PATH."""

from builder.cli.interrupt import run

if __name__ == "__main__":
    run()
