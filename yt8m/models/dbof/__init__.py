"""Deep bags of frames: the starter code's and the three of the KDD 2019 paper."""
