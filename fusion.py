"""Fuse the scores of several models, as `yt8m fuse` does; --help lists the flags."""

from yt8m.cli import run

if __name__ == "__main__":
    run("fuse")
