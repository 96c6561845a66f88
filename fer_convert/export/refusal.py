"""Why a library refused a network, in one line."""

from __future__ import annotations

import re

_MOST_CHARACTERS = 240

#: How coremltools announces, in its log, the operation that it fails at.
_ANNOUNCED = re.compile(r"converting '(\w+)' op")

#: The end of a TorchScript error: what went wrong, below a traceback of the script.
_RAISED = re.compile(r"^(\w+(?:Error|Exception): .+)", re.MULTILINE)

#: A sentence ends here; what follows tells whom to write to, or shows the graph.
_SENTENCE_END = re.compile(r"(?<=\w\w[.!?])\s|(?<=['\")\]][.!?])\s")


def reason_in_one_line(error: BaseException, printed: str = "") -> str:
    """Return an exception's kind and the sentence that says what it is about.

    Args:
        printed: what was printed before; where it names an operation and the exception does not,
            the operation is added.
    """
    words = str(error).strip()
    raised = _RAISED.findall(words)
    said = raised[-1] if raised else f"{type(error).__name__}: {words or 'no message'}"
    paragraph = " ".join(said.partition("\n\n")[0].split())
    line = _SENTENCE_END.split(paragraph, maxsplit=1)[0]
    if len(line) > _MOST_CHARACTERS:
        line = f"{line[: _MOST_CHARACTERS - 1]}…"
    announced = _ANNOUNCED.findall(printed)
    if announced and announced[-1] not in line:
        line = f"{line} (at operation '{announced[-1]}')"
    return line
