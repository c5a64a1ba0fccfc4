"""What golf-audit itself raises. Bad *content* is never an exception: it becomes a Fault or a Finding.

AuditError                 one clear line for the user, exit code 2
  NoSuchSubmission         the folder, pull request or ref is not there
  CloneError               git could not answer (not a repository, unknown ref, no merge base)
InternalError              the tool failed on this submission, exit code 4
  RuleCrashed              a rule raised; names the rule and the submission
"""


class AuditError(Exception):
    """Wrong usage or unusable input: printed as one line, exit code 2; a line before it for each detail."""

    details: tuple[str, ...] = ()


class NoSuchSubmission(AuditError):
    """The folder, pull request or ref asked for does not exist or cannot be read."""


class CloneError(AuditError):
    """git could not answer: not a repository, unknown ref, no common history."""


class InternalError(Exception):
    """The tool itself failed: exit code 4."""


class RuleCrashed(InternalError):
    """A rule raised an exception while judging a submission."""

    def __init__(self, rule: str, submission: str, cause: BaseException) -> None:
        super().__init__(f"rule {rule} failed on {submission}: {type(cause).__name__}: {cause}")
        self.rule = rule
        self.submission = submission
