"""The configuration of a build: the schema of build.toml, assembled from the stages' own tables, and the profiles."""

from builder.config.load import load_config, parse_config, profile_selection
from builder.config.schema import BuildConfig

__all__ = ["BuildConfig", "load_config", "parse_config", "profile_selection"]
