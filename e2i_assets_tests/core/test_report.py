"""The report: it is self-contained and complete, and it escapes user-given names."""

import dataclasses
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np
import pytest
from small_training import Names, report_facts

from e2i_assets.core.evaluation.paired import PairedGain
from e2i_assets.core.evaluation.success_criteria import criteria
from e2i_assets.core.evaluation.verdict import evaluated_criteria
from e2i_assets.core.plots.captions import CAPTIONS
from e2i_assets.core.report.facts import Access, ReportFacts, number
from e2i_assets.core.report.findings import compared
from e2i_assets.core.report.page import report_page
from e2i_assets.core.search.study_result import StudyResult

HOSTILE = Names(
    feature='<script>alert("age")</script>',
    segment="region\" onmouseover='alert(1)' x=\"",
    target="left</title><img src=x onerror=alert(2)>",
    dropped="{{ 7 * 7 }}{% raw %}",
    description="</p><iframe src=https://example.com></iframe>&copy;",
    classes=("<b>no</b>", r"$\x$ ]]> &amp; --> <svg onload=alert(3)>"),
    values=("<i>north</i>", "$south"),
)
# For whoever decides, the statistician and the auditor; the search comes last.
SECTIONS = ["worth", "evaluation", "card", "search"]


class Page(HTMLParser):
    """A parsed page: its elements and its text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag == "style":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "style":
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if not self._open:
            self.text += data


def tags(page: Page) -> set[str]:
    return {tag for tag, _ in page.elements}


def with_start(report: ReportFacts, study: StudyResult | None = None, **changes: object) -> ReportFacts:
    """Return the report with changed start facts of its training, and with this study."""
    record = report.record
    start = dataclasses.replace(record.start, **changes)  # type: ignore[arg-type]
    return dataclasses.replace(report, record=dataclasses.replace(record, start=start, study=study))


def test_user_supplied_names_are_escaped() -> None:
    plain, hostile = Page(report_page(report_facts())), Page(report_page(report_facts(HOSTILE)))
    assert tags(hostile) == tags(plain)
    assert "script" not in tags(hostile)
    assert {name for _, attributes in hostile.elements for name in attributes} == {
        name for _, attributes in plain.elements for name in attributes
    }
    for text in (HOSTILE.feature, HOSTILE.segment, HOSTILE.target, HOSTILE.dropped, *HOSTILE.classes, *HOSTILE.values):
        assert text in hostile.text
    assert HOSTILE.description in hostile.text


def test_the_page_loads_nothing_and_its_content_policy_forbids_requests() -> None:
    page = Page(report_page(report_facts()))
    sources = [attributes["src"] for _, attributes in page.elements if "src" in attributes]
    assert sources
    assert all(source and source.startswith("data:image/png;base64,") for source in sources)
    assert tags(page).isdisjoint({"script", "link", "iframe", "object", "embed", "form", "base"})
    (policy,) = [attributes["content"] for _, attributes in page.elements if "http-equiv" in attributes]
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_the_page_has_styles_for_small_screens_and_for_print() -> None:
    html = report_page(report_facts())
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in html
    assert "@media print" in html


def test_the_report_has_every_section_with_its_facts() -> None:
    report = report_facts()
    page = Page(report_page(report))
    assert [attributes.get("id") for tag, attributes in page.elements if tag == "h2"] == SECTIONS
    assert report.record.interval is not None
    for text in (
        "Who will leave?", "csv: rows.csv", "12 trials, tpe sampler", "d" * 64, "e" * 64, "3: no target",
        f"Trial {report.record.hpo.hpo_best_trial} of study", "roc_auc: 0.6", "not met: maximum_fpr",
        "Only 60 test rows", "20 holdout rows have not", "Rows were split at random, with the same class shares",
        f"{number(report.record.interval.low, 3)} to {number(report.record.interval.high, 3)}",
        f"trials completed, {report.record.study.count('PRUNED')} were pruned",  # type: ignore[union-attr]
    ):  # fmt: skip
        assert text in " ".join(page.text.split()), text
    for name, value in report.record.training.parameters.items():
        assert name in page.text
        assert (f"{value:.4g}" if isinstance(value, float) else str(value)) in page.text


def test_the_report_profiles_every_column() -> None:
    report = report_facts()
    cells = " ".join(Page(report_page(report)).text.split())
    assert [one.column for one in report.record.profile] == ["age", "noise", "region"]
    for one in report.record.profile:
        assert f"{one.column}{one.type}{one.missing}{one.distinct}{one.range}{one.example}{one.use}" in cells
    region = report.record.profile[-1]
    assert (region.type, region.distinct, region.use) == ("text", 2, "feature (category)")
    assert region.example in ("north", "south")


def test_every_plot_is_included_with_an_explanation() -> None:
    report = report_facts()
    html = report_page(report)
    assert set(report.record.pictures) <= set(CAPTIONS)
    assert html.count("data:image/png;base64,") == len(report.record.pictures)
    for file in report.record.pictures:
        assert CAPTIONS[file][0] in html


def test_the_report_says_what_the_threshold_does_to_decisions() -> None:
    report = report_facts()
    split = report.record.training.report.splits["test"]
    assert split.confusion is not None
    (_, wrong), (missed, right) = split.confusion
    text = " ".join(Page(report_page(report)).text.split())
    label = " ".join(report.record.facts.classes[1].split())
    assert f"On the test rows this flags {wrong + right}, of which {right} are {label}, and misses {missed}" in text
    assert "A higher threshold flags fewer rows and misses more" in text


def test_missing_parts_and_failed_criteria_are_at_the_top() -> None:
    gone = dataclasses.replace(report_facts(), missing=["the log in MLflow is unavailable: no <answer>"])
    text = " ".join(Page(report_page(gone)).text.split())
    assert "Missing: the log in MLflow is unavailable: no <answer>" in text
    assert "This model does not meet the success criteria of its experiment: do not use it." in text


def test_a_regression_has_a_report_too() -> None:
    text = " ".join(Page(report_page(report_facts(problem_type="regression"))).text.split())
    assert "rmse" in text
    assert "lower is better" in text
    assert "Predictions and their errors (residuals)" in text


def test_the_figures_of_a_binary_model_are_those_of_its_confusion_matrix() -> None:
    report = report_facts()
    text = " ".join(Page(report_page(report)).text.split())
    confusion = report.record.training.report.splits["test"].confusion
    assert confusion is not None
    (_, wrong), (missed, right) = confusion
    assert f"{100 * right / (right + wrong):.0f} of 100rows that the model flags have left = yes (precision)." in text
    assert f"In the test rows: {right} of {right + missed}." in text
    assert f"Without a model, {100 * (right + missed) / 60:.0f} of 100 rows picked at random have left = yes." in text


def test_the_figures_of_a_regression_are_errors_in_the_unit_of_the_target() -> None:
    report = report_facts(problem_type="regression")
    text = " ".join(Page(report_page(report)).text.split())
    truth, prediction = report.record.training.on_test
    errors = np.abs(truth - prediction.labels)
    assert f"{number(errors.mean(), 3)}is the mean error of a prediction, in the unit of left" in text
    assert f"{number(np.quantile(errors, 0.9), 3)}or less is the error of 90 of 100 predictions" in text


def test_the_comparison_is_paired_and_in_words() -> None:
    report = report_facts()
    gain = report.record.training.gains["baseline"]
    assert gain.method == "DeLong"
    text = " ".join(Page(report_page(report)).text.split())
    assert f"baseline without features{number(gain.second, 3)}{number(gain.first, 3)}{number(gain.gain, 2)}" in text
    one = PairedGain(metric="rmse", first=1.0, second=1.5, gain=0.5, low=0.1, high=0.9, method="paired jackknife")
    clear, open_ = compared(one, "it is"), compared(dataclasses.replace(one, low=-0.1), "it is")
    assert "0.50 better (95 % interval of the gain 0.10 to 0.90, paired jackknife)" in clear
    assert "does not contain 0" in clear
    assert "contains 0: these rows show no clear difference" in open_


def test_an_auditor_finds_versions_and_who_used_the_test_rows() -> None:
    looked = Access("test", datetime(2026, 1, 2, 3, 3, tzinfo=UTC), "ada", "trained_model was materialised")
    report = dataclasses.replace(report_facts(), versions={"optuna": "5.0.0"}, accesses=[looked])
    text = " ".join(Page(report_page(report)).text.split())
    assert "test2026-01-02 03:03adatrained_model was materialised" in text
    assert "optuna5.0.0" in text
    for heading in ("Model details", "Ethical considerations", "Caveats and recommendations", "Signature"):
        assert heading in text


def test_the_report_says_what_its_readers_would_object_to() -> None:
    """Each sentence answers an objection of a decision maker, a statistician or an auditor to an earlier version."""
    report = report_facts()
    training, interval = report.record.training, report.record.interval
    assert interval is not None
    edge = dataclasses.replace(
        training,
        test_groups=12,
        criterion_results=evaluated_criteria(
            criteria({"roc_auc": interval.low + 0.001}, "binary_classification", "roc_auc"),
            training.report.splits["test"].metrics,
        ),
    )
    changed = dataclasses.replace(report, record=dataclasses.replace(report.record, training=edge))
    text = " ".join(Page(report_page(changed)).text.split())
    for sentence in (
        "roc_auc is the share of pairs of a positive and a negative row in which",
        "Success criterion roc_auc 0.",
        "also contains values that do not meet it.",
        "There are 12 of them. With fewer than 50 of them it is approximate, and rather too narrow.",
        "the final model, which has learnt from the validation rows that are drawn",
        "LightGBM, trained 2026-01-02 03:03 UTC",
        f"Calibration intercept (0 is calibrated){number(training.intercept, 3)}",
    ):
        assert sentence in text, sentence
    assert "Criterion(" not in text
    plain = Page(report_page(report)).text
    assert "approximate" not in plain
    assert (
        "from which it has not learnt"
        in Page(report_page(report_facts(hpo=", constraints: {model_size: 100000000}"))).text
    )


def test_every_printed_page_names_the_model() -> None:
    report = report_facts()
    assert f'content: "small, model {report.record.model_key[:12]}"' in report_page(report)


def test_numbers_keep_all_digits_of_an_integer_and_drop_senseless_ones() -> None:
    assert [number(one) for one in (0.0, 0.12345, 1234.5678, 12345.678, 1e-7, 2e12)] == [
        "0", "0.1235", "1,235", "12,346", "1e-07", "2e+12"
    ]  # fmt: skip


def test_a_training_without_a_search_reports_that_nothing_was_tuned() -> None:
    report = report_facts()
    hpo = report.record.hpo.model_copy(update={"hpo_completed": False, "hpo_stop_reason": "the search is off"})
    text = Page(report_page(with_start(report, study=None, hpo=hpo))).text
    assert "No tuning: the search is off." in text
    assert "the model was trained with the default parameters" in " ".join(text.split())


@pytest.mark.parametrize("strategy", ["random", "stratified", "group", "time", "group_time", "column"])
def test_each_split_strategy_has_a_description(strategy: str) -> None:
    report = report_facts()
    facts = report.record.facts.model_copy(update={"strategy": strategy})
    assert "Rows were split" in report_page(with_start(report, facts=facts))


def test_the_report_names_the_rows_that_the_model_learnt_from_and_whose_metrics_it_shows() -> None:
    refit = Page(report_page(report_facts())).text
    assert "The final model learnt from 320 train and validation rows." in refit
    assert "the metrics on train and validation, the threshold and the permutation importance are those of" in refit
    assert "compare trials and choose the threshold, then fit the final model" in refit
    limited = Page(report_page(report_facts(hpo=", constraints: {model_size: 100000000}"))).text
    assert "The final model learnt from 240 train rows." in limited
    assert "then fit the final model" not in limited
