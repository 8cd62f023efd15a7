"""How a net looks: pictures as SVG, from its spec alone.  Standard library only."""
