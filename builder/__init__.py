"""Makes the dataset: photos of things -> composed scenes, in the order of the Gen4Gen poster."""
