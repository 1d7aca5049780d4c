"""Reading and writing for all other rooms: files, images, colour, tables for the terminal, Hub errors."""
