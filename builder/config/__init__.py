"""build.toml: its schema, assembled from the stages' own tables, and the profiles below it."""
