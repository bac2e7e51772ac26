"""The revisions of that schema, one after another."""
