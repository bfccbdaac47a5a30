"""Evaluate a trained model, as `yt8m eval` does; --help lists the flags."""

from yt8m.cli import run

if __name__ == "__main__":
    run("eval")
