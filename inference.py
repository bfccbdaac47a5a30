"""Predict and write a Kaggle submission, as `yt8m predict` does; --help lists the flags."""

from yt8m.cli import run

if __name__ == "__main__":
    run("predict")
