"""The probes of a trace: which runs each needs, and what their comparison shows.

    lines.py      printed results and their rows       order.py   processing order
    compare.py    two runs row by row                  stream.py  order of the stream
    control.py    does the run repeat                  whole.py   whole distributions
    swap.py       one target exchanged                 prefix.py  the printed number alone
    documents.py  one stretch exchanged

Pure functions of results: nothing here runs or imports a submission.
"""

from golf_audit.dynamic.contract import Probe
from golf_audit.dynamic.probes.control import Controlled
from golf_audit.dynamic.probes.documents import Documents
from golf_audit.dynamic.probes.order import Order
from golf_audit.dynamic.probes.prefix import Prefix
from golf_audit.dynamic.probes.stream import Cuts
from golf_audit.dynamic.probes.swap import Swap
from golf_audit.dynamic.probes.whole import Whole

QUICK: tuple[Probe, ...] = (Controlled((Order(),)), Whole())
"""Three runs: baseline, the same again, one perturbation."""
FULL: tuple[Probe, ...] = (Controlled((Order(), Cuts(), Swap(), Documents())), Whole(), Prefix())
"""Six runs more."""
