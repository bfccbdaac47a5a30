"""`python -m yt8m COMMAND`, the same as `yt8m COMMAND`."""

from yt8m.cli import main

main()
