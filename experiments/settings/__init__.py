"""Values on the command line: parameters read from text, and axes of grids."""
