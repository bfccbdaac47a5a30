"""LEAGUE.md: the tables of the league, from the stored results alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yt8m.papers.league.contests import CONTESTS, Contest
from yt8m.papers.league.standings import Standing, noise, standings
from yt8m.papers.results import Result
from yt8m.papers.tables import as_markdown

_HEAD = """# League table

`yt8m papers table league` writes this page from the JSON files of its runs; do not edit it. Every
registered classification model is trained by its default recipe, with no flag but the model, the
data and the folder, so a new model enters by being registered. No epoch is selected by the records
that are measured: a run is measured once, as it ends. The best models of a data set are chosen by
those same records, which favors them a little.
"""

_READING = """## How to read the tables

- A number with "±" is the mean over the seeds that ran, with their standard deviation. Seeds that
  had a shorter time limit are left out of it.
- "Stopped" means that the time limit ended the run before its recipe did, with the learning rate
  still high. Such a number is lower than what the recipe gives, and says nothing against the model.
- Parameters are the values in the weight file: trained weights and moving statistics.
- Examples/s are those of training, the median over the progress lines. GB are the largest memory of
  the training process, and minutes its time by the clock.
- MAP leaves out classes without positives. On YouTube-8M's records GAP and MAP rank the best 20
  predictions of each video, as the challenge's metrics do; on AudioSet's they rank all 527, as the
  published figures do.
"""

# Kong et al. 2019; see docs/sources.md#audioset-results.
_PUBLISHED = (
    ("baseline", 0.314),
    ("average pooling", 0.300),
    ("max pooling", 0.292),
    ("decision-level attention", 0.337),
    ("multi-level attention", 0.357),
    ("feature-level attention", 0.361),
)
_ABOUT_PUBLISHED = """### Published figures

On the same embeddings (Kong et al. 2019; `docs/sources.md#audioset-results`). They had 2 million
training clips, 90 times as many as the balanced split used here, and the whole evaluation split,
of which the records measured here may be a part. So these figures are a goal and no rivals.
"""

Models = Mapping[str, Sequence[str]]  # the models of each level, "frame" and "video"


def page(
    runs: Sequence[Result],
    fusions: Sequence[Result],
    sweep: Mapping[str, Any],
    models: Models,
    picture: str = "",
) -> str:
    """Return the page as Markdown.

    Args:
      runs: results of runs.
      fusions: results of fusions.
      sweep: see `yt8m.papers.league.store.Store.sweep`.
      models: the models that are shown even without a result.
      picture: path of the picture from the page's folder; "" if there is none.
    """
    parts = [_HEAD, _about_sweep(sweep)]
    if picture:
        parts.append(f"![Quality against examples per second]({picture})\n")
    for contest in CONTESTS.values():
        own = [r for r in runs if r["contest"] == contest.name]
        fused = [f for f in fusions if f["contest"] == contest.name]
        parts += _contest(contest, own, fused, models[contest.level])
    parts += [_READING, _made_with(runs)]
    return "\n".join(part for part in parts if part)


def counted(count: int, what: str) -> str:
    """Return a number with its noun, as "1 run" and "2 runs"."""
    return f"{count} {what}" + ("" if count == 1 else "s")


def _about_sweep(sweep: Mapping[str, Any]) -> str:
    if not sweep:
        return "The league has not been run yet.\n"
    text = (
        f"Each training was given {sweep['minutes_a_run']:g} minutes. Those of the best"
        f" {counted(sweep['best'], 'model')} of a data set were given {sweep['best_minutes']:g}"
        f" minutes, for {counted(sweep['seeds'], 'seed')}. {sweep['spent_minutes']:.1f} minutes of"
        f" the budget of {sweep['budget_minutes']:g} were used."
    )
    if sweep["left_out"]:
        text += f" The budget left out {counted(len(sweep['left_out']), 'run')}."
    return text + "\n"


def _contest(
    contest: Contest, runs: Sequence[Result], fusions: Sequence[Result], models: Sequence[str]
) -> list[str]:
    found = standings(runs, contest.name, contest.metric, models)
    parts = [f"## {contest.title}\n"]
    if runs:
        parts.append(_about_data(runs[0], next((s.runs[0] for s in found if s.runs), None)))
    parts.append(as_markdown(cells(contest, found)) + "\n")
    if any(len(s.runs) > 1 for s in found):
        margins = (f"{noise(found, m).margin():.4f} {m.upper()}" for m in ("map", "gap"))
        parts.append(
            f"Two runs differ by more than noise if they differ by more than {' or '.join(margins)}"
            " (Student's t, two-sided at 5 %, times the standard error of a difference).\n"
        )
    if contest.name == "audioset":
        published = [["published model", "MAP"], *([n, f"{v:.3f}"] for n, v in _PUBLISHED)]
        parts += [_ABOUT_PUBLISHED, as_markdown(published) + "\n"]
    return parts + _fusion(contest, fusions)


def _about_data(result: Result, measured: Result | None) -> str:
    data = result["data"]
    train, validate = data["train"], data["validate"]
    count = f" ({measured['metrics']['num_examples']:,} videos or clips)" if measured else ""
    text = (
        f"{data['about'][0].upper()}{data['about'][1:]}. {counted(train['shards'], 'shard')} of"
        f" {train['bytes'] / 1e6:,.0f} MB to train on (sha1 {train['sha1'][:8]}),"
        f" {validate['shards']} to measure{count}."
    )
    if measured:
        commands = "\n".join(f"    {c}" for c in measured["commands"])
        text += f" The commands of the first row:\n\n{commands}"
    return text + "\n"


def cells(contest: Contest, found: Sequence[Standing]) -> list[list[str]]:
    """Return the cells of a contest's table, starting with the header."""
    order = ("map", "gap") if contest.metric == "map" else ("gap", "map")
    costs = ["parameters", "examples/s", "GB", "min"]
    lines = [["model", *(m.upper() for m in order), "seeds", *costs, "how it ended"]]
    for s in found:
        name = f"`{s.model}`"
        if not s.runs:
            how = f"failed: {s.failed}" if s.failed else "not run"
            lines.append([name, *[""] * 7, how])
            continue
        quality = [_with_spread(s, metric) for metric in order]
        seeds = ", ".join(str(r["seed"]) for r in s.runs)
        lines.append([name, *quality, seeds, *_costs(s), _how_it_ended(s)])
    return lines


def _with_spread(s: Standing, metric: str) -> str:
    spread = s.spread(metric)
    return f"{s.mean(metric):.4f}" + ("" if spread is None else f" ± {spread:.4f}")


def _costs(s: Standing) -> list[str]:
    speed, peak, count = (s.cost(k) for k in ("examples_per_second", "peak_bytes", "parameters"))
    seconds = s.cost("seconds")
    return [
        f"{count:,.0f}" if count else "–",
        f"{speed:,.0f}" if speed else "–",
        f"{peak / 1e9:.1f}" if peak else "–",
        f"{seconds / 60:.1f}" if seconds else "–",
    ]


def _how_it_ended(s: Standing) -> str:
    stopped = [r for r in s.runs if r["stopped"]]
    if not stopped:
        return f"by itself, after {s.runs[0]['step']:,} steps" if s.runs[0].get("step") else "done"
    r = stopped[0]
    at = f", at step {r['step']:,} of {r['steps_of_run']:,}" if r.get("steps_of_run") else ""
    return f"stopped after {r['limit_minutes']:.3g} min{at}"


def _fusion(contest: Contest, fusions: Sequence[Result]) -> list[str]:
    title = "### Fusion of the best models\n"
    if not fusions:
        return [title, "Not run.\n"]
    f = fusions[0]
    names = ", ".join(f"`{name}`" for name in f["made_of"])
    if "failed" in f:
        return [title, f"Of {names}; failed: {f['failed']}.\n"]
    order = ("map", "gap") if contest.metric == "map" else ("gap", "map")
    best = f["best_single"]
    lines = [["fused by", *(m.upper() for m in order)]]
    lines += [[name, *(f"{m[k]:.4f}" for k in order)] for name, m in f["methods"].items()]
    single = [f"{best[k]:.4f}" for k in order]
    lines.append([f"best single model: `{best['model']}`", *single])
    about = (
        f"{names}, each with seed 0. Weights are fitted on a random half of the records"
        f" and measured on the other ({best['num_examples']:,}).\n"
    )
    return [title, about, as_markdown(lines) + "\n"]


def _made_with(runs: Sequence[Result]) -> str:
    measured = [r for r in runs if "failed" not in r]
    if not measured:
        return ""
    versions = sorted({f"TensorFlow {r['versions'].get('tensorflow', '?')}" for r in measured})
    types = sorted({r["dtype"] for r in measured})
    devices = sorted({_device(r) for r in measured})
    dates = sorted({r["date"] for r in measured})
    days = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return (
        f"Run with {', '.join(versions)} in {' and '.join(types)} on {', '.join(devices)},"
        f" {days}.\n"
    )


def _device(result: Result) -> str:
    devices = result.get("devices", {})
    kind, name = devices.get("kind", "an unknown device"), devices.get("name", "")
    threads = f" with {counted(devices['threads'], 'thread')}" if devices.get("threads") else ""
    return f"{kind}{' ' + name if name else ''}{threads}"
