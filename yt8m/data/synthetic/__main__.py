"""`python -m yt8m.data.synthetic` makes the synthetic data set."""

import sys

from yt8m.data.synthetic.dataset import main

sys.exit(main())
