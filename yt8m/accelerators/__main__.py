"""`python -m yt8m.accelerators`, the same as `yt8m accelerators`."""

from yt8m.cli import run

if __name__ == "__main__":
    run("accelerators")
