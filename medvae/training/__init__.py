"""Training a denoising VAE on the scans of several sites, and its run folder."""
