"""Makes the dataset: photos of objects -> composed scenes, in the order of the Gen4Gen poster."""
