"""The probes of a trace: which runs each needs, and what their comparison shows.

    lines.py      printed results and their rows       order.py     processing order
    compare.py    two runs row by row                  stream.py    order of the stream
    moments.py    when evaluation begins               swap.py      one target exchanged
    control.py    does the run repeat                  documents.py one document exchanged
    whole.py      whole distributions                  artifact.py  all validation tokens exchanged
    recount.py    bytes per token                      training.py  training shards exchanged at evaluation
    forwards.py   the adapted forward pass             prefix.py     the printed number alone
    ranks.py      two processes                        candidates.py mixed probabilities summed
    defaults.py   the script's own defaults            network.py   attempts to reach the network

Pure functions of results: nothing here runs or imports a submission.
"""

from golf_audit.dynamic.contract import Probe
from golf_audit.dynamic.probes.artifact import Artifact
from golf_audit.dynamic.probes.candidates import Candidates
from golf_audit.dynamic.probes.control import Controlled
from golf_audit.dynamic.probes.defaults import Defaults
from golf_audit.dynamic.probes.documents import Documents
from golf_audit.dynamic.probes.forwards import Forwards
from golf_audit.dynamic.probes.network import Reach
from golf_audit.dynamic.probes.order import Order
from golf_audit.dynamic.probes.prefix import Prefix
from golf_audit.dynamic.probes.ranks import Ranks
from golf_audit.dynamic.probes.recount import Recount
from golf_audit.dynamic.probes.stream import Cuts
from golf_audit.dynamic.probes.swap import Swap
from golf_audit.dynamic.probes.training import TrainingData
from golf_audit.dynamic.probes.whole import Whole

QUICK: tuple[Probe, ...] = (
    Controlled((Order(),)),
    Whole(),
    Recount(),
    Reach(),
    Defaults(run=False),
)
"""Three runs: baseline, the same again, one perturbation."""
FULL: tuple[Probe, ...] = (
    Controlled((Order(), Cuts(), Swap(), Documents(), Artifact(), TrainingData(), Candidates())),
    Whole(),
    Recount(),
    Reach(),
    Forwards(),
    Prefix(),
    Ranks(),
    Defaults(run=True),
)
"""Some ten runs more."""
