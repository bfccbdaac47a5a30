"""`python -m yt8m.analysis`, the same as `yt8m analyse`."""

from yt8m.cli import run

if __name__ == "__main__":
    run("analyse")
