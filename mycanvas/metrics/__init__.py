"""CP-CLIP, TI-CLIP and their identity-aware siblings: formulas, evaluation, prompts to generate, report."""
