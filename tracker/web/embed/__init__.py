"""The bar on other sites: frame, element, JSON, text, pictures and oEmbed, all from one state."""
