"""`python -m yt8m.recipes`, the earlier name of `python -m yt8m.papers` and `yt8m papers`."""

from yt8m.cli import run

if __name__ == "__main__":
    run("papers")
