"""`python -m yt8m.demo`, the same as `yt8m demo`."""

from yt8m.cli import run

if __name__ == "__main__":
    run("demo")
