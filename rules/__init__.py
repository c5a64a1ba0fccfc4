"""One file per rule, each exporting RULE; golf_audit.registry finds them by name."""
