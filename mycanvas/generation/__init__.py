"""Pictures to evaluate: generate them from prompts, in the layout that `mycanvas evaluate` reads."""
