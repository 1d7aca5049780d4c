"""Look at a build: a summary for the terminal, and a contact sheet."""
