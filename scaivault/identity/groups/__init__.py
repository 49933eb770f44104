"""Groups, how they nest, and who belongs to them."""
