"""What makes the pages of this folder: tables that cog writes, pictures that Sphinx asks for."""
