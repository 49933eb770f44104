"""What is announced."""
