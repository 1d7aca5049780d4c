"""Files, images, colour, tables for the terminal, Hub errors: what every other room reads and writes with."""
