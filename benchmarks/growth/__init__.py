"""How time and memory grow with sizes: measured points, fitted exponents, figures and a table."""
