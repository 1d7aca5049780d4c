"""The user's sources: concepts, folders of photos, photos, datasets on the Hub."""

ON_HUB = "hf://"
"""The prefix of a dataset on the Hugging Face Hub where a folder is expected otherwise: "hf://owner/name"."""
