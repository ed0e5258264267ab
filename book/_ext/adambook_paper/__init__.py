"""The whole book as one PDF and as one EPUB, made from the pages of the built site."""
