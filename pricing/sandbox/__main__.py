"""The child: it says that it is warm, then computes task after task, until its parent hangs up."""

from __future__ import annotations

import ctypes
import errno
import gc
import os
import sys
import threading
import traceback
from queue import SimpleQueue
from typing import Final

from pricing.refusals import Refusal
from pricing.sandbox.computing import Computer  # and with it all that a calculation needs: no model pays for it
from pricing.sandbox.confining import LINUX, confine_this_process
from pricing.sandbox.messages import TOLD, Answer, Done, Failed, Over, Ready, Task
from pricing.sandbox.speaking import Speaker, refused, sayable

# Put together while there is memory.
NO_MEMORY: Final = Over(what="memory").model_dump_json().encode() + b"\n"


def main(parent: int) -> None:
    """Serve until standard input ends, or a task leaves this process in a state that nobody should trust."""
    confine_this_process(parent)
    # What a library prints must not be taken for an answer.
    answers = os.dup(1)
    os.dup2(2, 1)
    lines: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    speaker = Speaker(answers, lines.get)
    computer = Computer(speaker)
    gc.freeze()
    speaker.say(Ready())
    while True:
        answer = _answer(lines.get(), computer)
        if answer is None:
            speaker.write(NO_MEMORY)
            return
        _tidy()
        speaker.say(answer)
        if isinstance(answer, Over | Failed):
            return


def _listen(lines: SimpleQueue[bytes]) -> None:
    """Put lines into the queue, and end the process when the parent hangs up, whatever it is computing."""
    for line in sys.stdin.buffer:
        lines.put(line)
    os._exit(0)


def _answer(line: bytes, computer: Computer) -> Answer | None:
    """Compute one task. None: memory ran out, and what was held has been given back by now."""
    try:
        return Done(result=sayable(computer.compute(Task.model_validate_json(line))))
    except Refusal as refusal:
        return refused(refusal)
    except MemoryError:
        return None
    except Exception as error:  # noqa: BLE001 - told to the parent, and the end of this process
        number = error.errno if isinstance(error, OSError) else None
        if number == errno.ENOMEM:  # a file could not be mapped
            return None
        if number == errno.EFBIG:  # RLIMIT_FSIZE
            return Over(what="output")
        return Failed(detail=sayable(traceback.format_exc()[-TOLD:]))


def _tidy() -> None:
    """Give memory back, so that the next model has all of its allowance."""
    gc.collect()
    if LINUX:
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim:
            trim(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
    os._exit(1)  # Python would wait for the lock on standard input that the listening thread holds
