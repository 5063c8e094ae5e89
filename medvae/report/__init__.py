"""What every report shares: one look, pictures inside the page, escaped text."""

from medvae.report.page import write_page

__all__ = ["write_page"]
