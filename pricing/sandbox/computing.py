"""What the child computes: one method a kind of task."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from pricing.calculation import Prepared, measured, prepared, reduced
from pricing.loading import load
from pricing.measuring.slabs import Slab, slab
from pricing.picture import render
from pricing.sandbox.messages import PICTURE, Task, TaskKind
from pricing.sandbox.speaking import LOAD
from pricing.units import Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pricing.sandbox.speaking import Speaker
    from pricing.surface import Surface

Result = dict[str, Any]
# How much of the work is done once a step is, by the time that sound models take; the rest is measuring.
DONE: Final = {"load": 0.05, "mend": 0.4}


class Computer:
    """Computes tasks, and keeps the last surface for as long as it may have to be drawn."""

    def __init__(self, speaker: Speaker) -> None:
        """``speaker``: whom to tell what happens."""
        self._speaker = speaker
        self._seen: tuple[Surface, Unit] | None = None
        self._kinds: Final[dict[TaskKind, Callable[[Task], Result]]] = {
            TaskKind.MEASURE: self._measure,
            TaskKind.PREPARE: self._prepare,
            TaskKind.SLAB: self._slab,
            TaskKind.REDUCE: self._reduce,
            TaskKind.PICTURE: self._picture,
        }

    def compute(self, task: Task) -> Result:
        """Compute a task. Raises Refusal, and whatever goes wrong."""
        return self._kinds[task.kind](task)

    def _measure(self, task: Task) -> Result:
        """Return `measured`, the document of a `Measured`, and `picture`: None, as the parent asks for it apart."""
        self._seen = None
        found = measured(
            _given(task.model),
            task.limits,
            task.unit,
            announce=self._announce,
            options=task.options,
            plausible=task.plausible,
            seen=self._see,
            progress=self._measuring,
        )
        return {"measured": found.to_document(), "picture": None}

    def _prepare(self, task: Task) -> Result:
        """Write a prepared model to the folder; return its `files`, its `triangles` and the `chunks` to cut."""
        self._seen = None
        ready = prepared(
            _given(task.model),
            task.limits,
            task.unit,
            announce=self._announce,
            options=task.options,
            plausible=task.plausible,
            seen=self._see,
        )
        ready.save(task.folder)
        files = sorted(path.name for path in task.folder.iterdir())
        return {"files": files, "triangles": ready.begun.total.triangles, "chunks": ready.begun.chunks}

    def _slab(self, task: Task) -> Result:
        """Write one slab; return its file as `files`."""
        ready = Prepared.read(_given(task.prepared))
        facts: dict[str, object] = {"first_chunk": task.first_chunk, "last_chunk": task.last_chunk}
        name = f"slab-{task.first_chunk}-{task.last_chunk}.npz"
        with self._speaker.step("slab", facts):
            slab(ready.surface, ready.begun, task.first_chunk, task.last_chunk).save(task.folder / name)
        return {"files": [name]}

    def _reduce(self, task: Task) -> Result:
        """Put slabs together; return as `_measure` does."""
        ready = Prepared.read(_given(task.prepared))
        self._see(ready.surface, ready.begun.unit)
        found = reduced(ready, [Slab.read(path) for path in task.slabs], announce=self._speaker.step)
        return {"measured": found.to_document(), "picture": None}

    def _picture(self, task: Task) -> Result:
        """Draw a model, a prepared one, or the one computed last; return its file as `picture`, None without any."""
        if task.model:
            model = load(task.model, task.limits, task.unit)
            self._see(model.surface, model.unit or Unit.MILLIMETRE)
        elif task.prepared:
            ready = Prepared.read(task.prepared)
            self._see(ready.surface, ready.begun.unit)
        seen, self._seen = self._seen, None
        if seen is None or not seen[0].count:
            return {"picture": None}
        surface, unit = seen
        marks = (*task.marks, *((x * unit.mm, y * unit.mm, z * unit.mm) for x, y, z in task.where))
        with self._speaker.step("picture", {"marks": len(marks)}):
            (task.folder / PICTURE).write_bytes(render(surface, unit, marks))
        return {"picture": PICTURE}

    def _see(self, surface: Surface, unit: Unit) -> None:
        self._seen = surface, unit

    def _measuring(self, share: float) -> None:
        self._speaker.progress(DONE["mend"] + (1 - DONE["mend"]) * share)

    @contextmanager
    def _announce(self, step: str, facts: dict[str, object]) -> Iterator[None]:
        """Tell of a step; once the model has been loaded, wait for the allowance that its triangles need."""
        with self._speaker.step(step, facts):
            yield
        if step in DONE:
            self._speaker.progress(DONE[step])
        if step == LOAD:
            self._speaker.read(facts)


def _given(path: Path | None) -> Path:
    if path is None:
        raise ValueError("the task does not say which files it is about")
    return path
