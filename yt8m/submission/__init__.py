"""Every file that holds predictions or their ground truth: written whole or not at all, read tolerantly."""
