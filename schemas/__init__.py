"""JSON Schemas (draft 2020-12) that golf-audit reads and writes; `golf-audit schema NAME` prints one."""
