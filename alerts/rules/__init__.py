"""The rules, a module a group. None depends on the promise file: what it says reaches them as recorded targets."""
