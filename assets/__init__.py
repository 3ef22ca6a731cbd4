"""Files that the faces and the exports read: stylesheets, templates, screenshots. No code."""
