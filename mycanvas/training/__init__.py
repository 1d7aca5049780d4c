"""Train the poster's arms on a built dataset: methods, data, the loop, and files that plain diffusers loads."""
