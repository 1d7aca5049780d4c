"""Publish a finished build on the Hugging Face Hub, as Parquet."""
