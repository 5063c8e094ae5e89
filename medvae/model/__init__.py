"""The denoising VAE: its network, its likelihood and the bound it maximises."""
