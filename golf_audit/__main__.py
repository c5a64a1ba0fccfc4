"""python -m golf_audit: the same as the golf-audit command."""

from golf_audit.cli import main

if __name__ == "__main__":
    main()
