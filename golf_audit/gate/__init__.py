"""The gate on pull requests: what action.yml runs, step by step.

    fetch    event -> which pull request; its commits into a bare repository, never into a work tree
    audit    that repository -> report, annotations, summary, exit code; waivers come from the base branch
    comment  the report -> one comment that is kept up to date, and a commit status

Only `fetch` and `comment` see a token, and neither reads a submission; `audit` reads one and sees no token.
"""
