"""`e2i check`: all checks of all assets, evaluated on the stored values. It trains and changes nothing."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

import typer
from rich.markup import escape
from rich.table import Table

from e2i_assets.cli.console import FAILED, NOT_EVALUATED, document, err, out
from e2i_assets.cli.open_project import opened_project
from e2i_assets.core.errors import E2iError
from e2i_assets.core.suggestions import did_you_mean
from e2i_assets.services.checks.actions import action, action_if_not_evaluated
from e2i_assets.services.checks.catalogue import CHECKS
from e2i_assets.services.checks.check import Check, CheckResult, evaluated
from e2i_assets.services.overview import AS_A_WARNING
from e2i_assets.services.project import Project
from e2i_assets.services.retire import gone


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check for one experiment."""

    experiment: str
    check_spec: Check
    check_result: CheckResult

    @property
    def fails(self) -> bool:
        """Return whether the check failed and is more than a warning."""
        return self.check_result.outcome == "failed" and (
            self.check_spec.blocking or self.check_spec.severity == "ERROR"
        )

    @property
    def action(self) -> str:
        """What to do when the check did not pass."""
        if self.check_result.outcome == "not evaluated":
            return action_if_not_evaluated(self.experiment)
        return action(self.check_spec.asset, self.check_spec.name, self.experiment)

    def as_document(self) -> dict[str, object]:
        """Return the finding as ``--json`` prints it."""
        check_spec = {
            key: getattr(self.check_spec, key) for key in ("asset", "name", "blocking", "severity", "description")
        }
        todo = None if self.check_result.passed else self.action
        return {"experiment": self.experiment, **check_spec, **asdict(self.check_result), "what_to_do": todo}


def check(names: Sequence[str] | None = None, json: bool = False, junit: Path | None = None) -> None:
    """Evaluate the checks and end with the exit status of `exit_status`; 2 also if the project cannot be opened.

    Args:
        names: Experiments; all registered experiments if empty.
        json: Print a JSON document with all results instead of a table.
        junit: File to which the results are also written as JUnit XML.
    """
    try:
        project = opened_project()
        findings = found(project, _chosen(project, names or ()))
    except E2iError as error:
        err.print(f"[bold red]Not evaluated:[/] {escape(str(error))}", highlight=False)
        raise typer.Exit(NOT_EVALUATED) from None
    if junit:
        junit.parent.mkdir(parents=True, exist_ok=True)
        junit.write_text(as_junit(findings), encoding="utf-8")
    if json:
        document([finding.as_document() for finding in findings])
    else:
        _show(findings)
    raise typer.Exit(exit_status(findings))


def found(project: Project, names: Sequence[str]) -> list[Finding]:
    """Evaluate all checks for each of these experiments."""
    return [Finding(name, check_spec, evaluated(check_spec, project, name)) for name in names for check_spec in CHECKS]


def exit_status(findings: Sequence[Finding]) -> int:
    """Return the exit status: 0 if all checks passed (warnings count as passed), 1 if a check failed.

    It is 2 if no check failed, but a check was not evaluated or there is nothing to evaluate.
    """
    if any(finding.fails for finding in findings):
        return FAILED
    unseen = any(finding.check_result.outcome == "not evaluated" for finding in findings)
    return NOT_EVALUATED if unseen or not findings else 0


def as_junit(findings: Sequence[Finding]) -> str:
    """Return the findings as JUnit XML: one suite per experiment; a warning is a passed case with a message."""
    root = ElementTree.Element("testsuites", name="e2i check")
    for name in dict.fromkeys(finding.experiment for finding in findings):
        of = [finding for finding in findings if finding.experiment == name]
        unseen = sum(finding.check_result.outcome == "not evaluated" for finding in of)
        counts = {"tests": len(of), "failures": sum(finding.fails for finding in of), "errors": unseen}
        suite = ElementTree.SubElement(root, "testsuite", {key: str(value) for key, value in counts.items()}, name=name)
        for finding in of:
            case = ElementTree.SubElement(
                suite, "testcase", classname=f"{name}.{finding.check_spec.asset}", name=finding.check_spec.name
            )
            if finding.check_result.outcome == "not evaluated":
                ElementTree.SubElement(case, "error", message=finding.check_result.why)
            elif finding.fails:
                ElementTree.SubElement(case, "failure", message=finding.check_result.why)
            elif not finding.check_result.passed:
                ElementTree.SubElement(case, "system-out").text = f"warning: {finding.check_result.why}"
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _chosen(project: Project, names: Sequence[str]) -> list[str]:
    rows = {row.experiment_name: row for row in project.experiments.list(retired_too=True)}
    known = [name for name, row in rows.items() if row.is_active]
    for name in names:
        if name in rows and name not in known:
            raise E2iError(
                f"experiment {name} is retired since {rows[name].retired_at:%Y-%m-%d %H:%M}: nothing checks it"
            )
        if name not in known:
            raise E2iError(f"no experiment {name!r} is registered{did_you_mean(name, known)}: `e2i run` registers them")
    if not known:
        raise E2iError("no experiment is registered yet: `e2i run` registers and runs them")
    if names:
        return list(dict.fromkeys(names))
    left = gone(project)
    for name, why in left.items():
        err.print(f"[yellow]{name} is left out, {why}:[/] `e2i experiment remove {name}` retires it.", highlight=False)
    return [name for name in known if name not in left]


def _show(findings: Sequence[Finding]) -> None:
    """Print the check names of one experiment, or the counts of several, and the reason for each check not passed."""
    names = list(dict.fromkeys(finding.experiment for finding in findings))
    for name in names:
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for asset in dict.fromkeys(check_spec.asset for check_spec in CHECKS):
            of = [finding for finding in findings if (finding.experiment, finding.check_spec.asset) == (name, asset)]
            passed = [f"[green]{finding.check_spec.name}[/]" for finding in of if finding.check_result.passed]
            if len(names) > 1:
                passed = [f"[green]{len(passed)} of {len(of)} passed[/]"]
            table.add_row(
                asset, "\n".join([*passed, *(_marked(finding) for finding in of if not finding.check_result.passed)])
            )
        out.print(f"[bold]{name}[/]")
        out.print(table)
    for finding in findings:
        if not finding.check_result.passed:
            head = f"{finding.experiment}: {finding.check_spec.asset} {_marked(finding)}"
            out.print(f"{head}: {escape(finding.check_result.why)}", highlight=False)
            out.print(f"  What to do: {escape(finding.action)}", highlight=False)
    passed_count = sum(finding.check_result.passed for finding in findings)
    out.print(f"{passed_count} of {len(findings)} checks passed.", highlight=False)


def _marked(finding: Finding) -> str:
    word, colour = ("failed", "red") if finding.fails else (AS_A_WARNING, "yellow")
    if finding.check_result.outcome == "not evaluated":
        word, colour = "not evaluated", "magenta"
    return f"[{colour}]{finding.check_spec.name} ({word})[/]"
