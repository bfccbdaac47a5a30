"""Train a model, as `yt8m train` does; --help lists the flags."""

from yt8m.cli import run

if __name__ == "__main__":
    run("train")
