"""One self-contained page about a run, several runs compared, or a fusion.

The pictures are SVG written by the functions here: Vega-Lite and Plotly would add about a megabyte
of JavaScript to each page, need it to show anything, and would not follow the reader's colors.
"""
