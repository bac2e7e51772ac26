"""What services promise each other and their callers, against the documents that say so."""
