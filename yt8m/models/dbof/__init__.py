"""Deep bags of frames: the starter code's model and the three models of the KDD 2019 paper."""
