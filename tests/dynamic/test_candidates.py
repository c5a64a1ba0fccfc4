"""Where memory holds a validation target: what the forked copies of a run change."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from golf_audit.dynamic.child.candidates import held  # noqa: E402
from golf_audit.dynamic.miniature import Shape  # noqa: E402
from golf_audit.dynamic.miniature import tokens as streams  # noqa: E402

STREAM = np.array(streams.validation(Shape(targets=600, documents=4)), dtype=np.int64)
AT = 321
TOKEN = 5


def test_every_copy_of_a_target_is_found_and_no_other_token() -> None:
    """Arrays, views of tensors, plain lists and read-only memory, held by nothing but this function."""
    whole = STREAM.astype(np.uint16)
    tensor = torch.from_numpy(STREAM.astype(np.int64))
    batch = torch.stack([tensor[300:332], tensor[310:342]])
    box = {"rows": [np.array(STREAM[AT - 1 : AT + 40], dtype=np.int32)]}
    plain = STREAM[200:400].tolist()
    frozen = np.frombuffer(STREAM.astype("<u2").tobytes(), dtype="<u2")
    elsewhere = np.array([STREAM[AT], 9, STREAM[AT], 11] * 20)
    for place in held(STREAM.copy(), AT):
        if type(place.holder) is list or place.holder.size < 10_000:
            place.write(TOKEN)
    assert whole[AT] == TOKEN and int(tensor[AT]) == TOKEN and frozen[AT] == TOKEN
    assert batch[0, AT - 300] == TOKEN and batch[1, AT - 310] == TOKEN
    assert box["rows"][0][1] == TOKEN and plain[AT - 200] == TOKEN
    assert (np.delete(whole, AT) == np.delete(streams.validation(Shape(targets=600, documents=4)), AT)).all()
    assert elsewhere[0] != TOKEN, "beside other neighbours it is another token"
