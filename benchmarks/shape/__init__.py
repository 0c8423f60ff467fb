"""The shape of the code in figures beside their aims: lines, docstrings, circles, types."""
