"""The stages, in the poster's order: segment, plan, backgrounds, layout, paste, repaint, caption, score, select."""
