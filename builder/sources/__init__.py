"""What the user brings: concepts, folders of photos, photos, datasets on the Hub."""
