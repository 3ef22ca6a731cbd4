"""Face one: screens that paint lines and take keys. The only folder that imports Textual."""
