"""The shipped bundles and the interpreter that runs them."""
