"""The page of a profile: its answer in words, then figures, tables and flame graph, in one HTML file."""

from __future__ import annotations

from collections.abc import Sequence

from ...analysis import plots
from ...profiling.host import host_facts
from ..grid import Grid, number_of
from ..report import Picture, Report, Section
from . import ceilings, colocation, isa_sweep, profile_grids, published_split
from .operator_grids import role_name
from .profile_answer import Answer
from .profile_figures import colocation_figures, figures, flame_graph
from .profile_study import ModelProfile, StepProfile

HOW_TO_READ = (
    "Times come from processes without a profiler, shares of parts from others with one. An interval reaches over "
    "processes: with three or five it is their range."
)


def page(found: Answer, command: str) -> Report:
    """The page that tells `found`; `command` makes it again."""
    profile = found.profile
    sections = [*_steps(profile), _work(found), *axis_sections(profile)]
    if published_split.compared(profile):
        drawn = figures(profile)["published-split"]
        caption = "Operators of the model here and on the published machine."
        pictures = (Picture(plots.to_svg(drawn, caption), caption, "measured"),)
        grid = published_split.grid(profile)
        sections.append(Section("published", "Beside the published split", pictures=pictures, grids=(grid,)))
    if found.widths:
        words = ("Every library's own operators; what a library was seen to use stands beside its time.",)
        grids = (isa_sweep.grid(found.widths),)
        sections.append(Section("operators", "Operators by SIMD width", words, grids=grids))
    if found.together is not None:
        sections.append(together_section(found.together))
    sections += [stacks_section(profile), _origins(found)]
    return Report(f"Profile: {profile.name}", _answer(profile), tuple(sections), f"Made by {command}")


def _answer(profile: ModelProfile) -> tuple[str, ...]:
    largest = max(step.batch for step in profile.steps)
    lines = [_sentence(step) for step in profile.steps if step.batch == largest]
    least = min(step.operators.attributed for step in profile.steps)
    cost = max(step.operators.overhead.value for step in profile.steps)
    lines.append(f"Named parts cover at least {least:.1%} of every step; tracing makes steps up to {cost:.2f}× slower.")
    disturbed = [f"{s.mode} {s.batch}" for s in profile.steps if s.total.metadata.get("contended")]
    if disturbed:
        lines.append(f"Contended, so measured too long and inexactly: {', '.join(disturbed)}.")
    return tuple(lines)


def _sentence(step: StepProfile) -> str:
    first = step.operators.roles[0]
    what = f"A step of {step.mode} on {number_of(step.batch, 'sample')} takes {profile_grids.timed(step.total, ' ms')}"
    return f"{what}, the largest part of it {role_name(first.role)} ({first.share.value:.0%})."


def _steps(profile: ModelProfile) -> list[Section]:
    """The times of all steps, then a picture of each kind in a section of its own, as it needs the whole width."""
    grids = (profile_grids.step_grid(profile), profile_grids.share_grid(profile))
    made = [Section("steps", "Where the time goes", (HOW_TO_READ,), grids=grids)]
    for mode in dict.fromkeys(step.mode for step in profile.steps):
        picture = _picture(figures(profile)[mode], f"Parts of {mode} steps by batch, and the time per sample.")
        made.append(Section(mode, f"{mode.capitalize()} by batch", pictures=(picture,)))
    return made


def _work(found: Answer) -> Section:
    pictures: tuple[Picture, ...] = ()
    grids = [profile_grids.work_grid(found.profile)]
    if found.ceilings is not None:
        grids.append(ceilings.grid(found.profile, found.ceilings))
        drawn = ceilings.figures(found.profile, found.ceilings)
        caption = "Parts under the ceilings that hotrow calibrate measured; bytes are those that operators touch."
        pictures = tuple(_picture(figure, caption) for figure in drawn.values())
    words = ("FLOPs and bytes are counted from the model and its bags, seconds are measured.",)
    return Section("work", "How fast the work is done", words, pictures=pictures, grids=tuple(grids))


def axis_sections(profile: ModelProfile) -> list[Section]:
    """A section for every axis."""
    drawn = figures(profile)
    made = []
    for axis in dict.fromkeys(point.axis for point in profile.axes):
        name = f"axis-{axis}"
        pictures = (_picture(drawn[name], f"Inference along {axis}."),) if name in drawn else ()
        grids = [profile_grids.axis_grid(axis, profile.axes)]
        if axis == "device":
            grids += profile_grids.crossover_grids(profile.axes)
        made.append(Section(name, f"Along {axis}", pictures=pictures, grids=tuple(grids)))
    return made


def together_section(found: colocation.CoLocation) -> Section:
    """Models side by side."""
    captions = {
        "colocation": "Latency of models that call again as soon as they are done.",
        "poisson": "Latency, waiting included, under requests that arrive at random.",
    }
    drawn = colocation_figures(found)
    pictures = tuple(_picture(figure, captions[name]) for name, figure in drawn.items())
    words = () if found.trap is None else (found.trap,)
    return Section("together", "Models side by side", words, pictures=pictures, grids=colocation.grids(found))


def stacks_section(profile: ModelProfile) -> Section:
    """The flame graph, or why there is none."""
    flame = flame_graph(profile)
    if profile.stacks is None or flame is None:
        return Section("stacks", "Stacks", ("py-spy did not look; the notes below say why, if it was asked to.",))
    caption = "Flame graph: blue is Python, yellow native; point at a box for its name. Widths are shares of samples."
    grids = (profile_grids.stack_grid(profile.stacks),)
    return Section("stacks", "Stacks", pictures=(Picture(flame, caption, "measured"),), grids=grids)


def _origins(found: Answer) -> Section:
    host, facts = host_facts(), found.profile.steps[0].total.metadata
    named = ("threads", "cpus", "wait_policy", "huge_pages", "steal_share", "index_distribution", "batches_prepared")
    rows = [("processor", str(host.cpu)), ("system", host.system), ("load", str(host.load))]
    rows += [(name.replace("_", " "), str(facts.get(name))) for name in named]
    rows += [(name.removeprefix("isa_"), str(value)) for name, value in facts.items() if name.startswith("isa_")]
    rows += [(name, str(version)) for name, version in host.packages.items()]
    grid = Grid("Circumstances of the first step", ("what", "was"), tuple(rows), "measured")
    return Section("origins", "Circumstances", points=tuple(_sentences(found.notes)), grids=(grid,))


def _sentences(notes: Sequence[str]) -> list[str]:
    return [f"{note[0].upper()}{note[1:]}." for note in notes if note]


def _picture(figure: object, caption: str) -> Picture:
    return Picture(plots.to_svg(figure, caption), caption, "measured")  # type: ignore[arg-type]
