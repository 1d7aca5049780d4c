"""People's ranks and preferences: files and tables."""
