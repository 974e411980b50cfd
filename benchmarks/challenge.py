"""What it costs to refuse, to ask for a code, and to carry a form past the prompt."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping

from benchmarks.figures import Figure
from benchmarks.instructions import counted
from benchmarks.instructions import told_count
from benchmarks.rounds import Entry
from benchmarks.rounds import interleaved
from benchmarks.run import Run
from benchmarks.tables import Table
from benchmarks.tables import Target

REFUSING = {"refusing": Entry("prompts:refusing")}
PROMPTS = {
    "flask-stepup": Entry("prompts:prompting"),
    "Flask-Security, /verify": Entry("security:prompting"),
    "django-allauth, /accounts/reauthenticate/": Entry("allauth:prompting"),
}

#: What is called, as the table has it.
REFUSALS = {
    "abort": "the app's own abort(403)",
    "abort_as_json": "the same, as JSON by an error handler of the app",
    "refused": "flask-stepup, with the challenge",
    "refused_first": "flask-stepup, for the first time in a session",
}
FORMS = {
    "seal": "limit: JSON, base64 and hmac.digest of the form",
    "issue": "the whole POST, its answer the prompt with the form in it",
    "unseal": "limit: the same back",
    "read": "open the challenge",
}


def measure(run: Run) -> Iterator[Table]:
    """Time refusals, prompts, and forms."""
    refusing = interleaved(REFUSING, run.effort)["refusing"]
    counts = counted(REFUSING, REFUSALS, run.effort).get("refusing", {})
    yield _refusals(refusing, counts)
    prompting = interleaved(PROMPTS, run.effort)
    yield _prompts({name: timed["prompt"] for name, timed in prompting.items()})
    yield _forms(prompting["flask-stepup"])


def _refusals(times: Mapping[str, Figure], counts: Mapping[str, float]) -> Table:
    rows = [
        (
            name,
            times[call].told(),
            times[call].over(times["abort"]).told(),
            told_count(counts.get(call)),
        )
        for call, name in REFUSALS.items()
    ]
    ratio = times["refused"].over(times["abort"]).median
    target = Target("refusing / the app's own abort(403)", ratio, 1.0)
    columns = (
        "refusing an unverified JSON request",
        "µs",
        "ratio",
        "1,000 instructions",
    )
    return Table("Refusal", columns, rows, (), [target])


def _prompts(times: Mapping[str, Figure]) -> Table:
    rows = [(name, time.told()) for name, time in times.items()]
    return Table("Prompt", ("the page that asks", "µs"), rows)


def _forms(times: Mapping[str, Figure]) -> Table:
    rows = [(name, times[call].told()) for call, name in FORMS.items()]
    return Table("Challenge with a form of 64 KB", ("", "µs"), rows)
