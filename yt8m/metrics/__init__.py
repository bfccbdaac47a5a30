"""The metrics of annotations: GAP, MAP, PERR and Hit@k of videos, and MAP@K of segments."""
