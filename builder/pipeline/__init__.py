"""Puts the stages in order: from photos to a dataset folder, each step resumable."""
