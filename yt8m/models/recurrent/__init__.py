"""Recurrent models of the UTS paper and the starter code."""
