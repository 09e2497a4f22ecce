"""Totals and remarks below the rows of a CSV file: refused by their values, with the line; rows of data are not."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from e2i_assets.adapters.sources.datasets import load
from e2i_assets.core.data.row_places import notes_of
from e2i_assets.core.errors import DataInvalid
from e2i_assets.core.experiments.source_section import Source

RANDOM = np.random.default_rng(5)
ROWS = 60
AGE = RANDOM.integers(20, 80, ROWS)
COST = RANDOM.normal(900, 90, ROWS).round(2)
TOWN = RANDOM.choice(["Graz", "Wien", "Linz"], ROWS)
HEAD = "Kundennummer;Ort;Alter;Anrede;Beitrag;Kosten\n"


def german(number: float) -> str:
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


ROW_TEXTS = [
    f"{10_000 + 7 * i};{TOWN[i]};{AGE[i]};{'Frau' if i % 2 else 'Herr'};{german(COST[i] / 7)};{german(COST[i])}"
    for i in range(ROWS)
]
BODY = HEAD + "\n".join(ROW_TEXTS) + "\n"
PAID = sum(round(float(one) / 7, 2) for one in COST)


def read(folder: Path, text: str, **options: Any) -> pd.DataFrame:
    (folder / "rows.csv").write_text(text)
    return load(Source.model_validate({"csv": {"path": "rows.csv", **options}}), folder, {})


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(DataInvalid) as caught:
        read(folder, text)
    (violation,) = caught.value.violations
    return str(violation)


@pytest.mark.parametrize(
    "row",
    [
        f"Summe;;;;{german(PAID)};{german(COST.sum())}",
        f";Gesamt;;;{german(PAID)};{german(COST.sum())}",
        f";;;;{german(PAID)};{german(COST.sum())}",
        f";Mittelwert;{german(AGE.mean())};;;{german(COST.mean())}",
        "Quelle: Statistik Austria;;;;;",
        ";erstellt am 3. April von der Abteilung;;;;",
        "Итого;;;;;1",
        f"Grand Total:;;;;;{german(COST.sum())}",
        f"alles zusammen;;;;;{german(COST.sum())}",
    ],
)
def test_a_closing_row_is_refused_with_its_line_and_the_key_that_keeps_it(tmp_path: Path, row: str) -> None:
    said = refusal(tmp_path, BODY + row + "\n")
    for part in (f"line {ROWS + 2} (", "no row of the data", "Remove it", "source.csv.last_rows: keep"):
        assert part in said
    assert all(one in said for one in row.split(";") if one)
    assert len(read(tmp_path, BODY + row + "\n", last_rows="keep")) == ROWS + 1


def test_several_closing_rows_are_named_together(tmp_path: Path) -> None:
    total = f"Summe;;;;{german(PAID)};{german(COST.sum())}\n"
    mean = f"Mittelwert;;;;;{german(COST.mean())}\n"
    said = refusal(tmp_path, f"{BODY}{total}{mean};;;;;\nStand: 2026;;;;;\n")
    assert [f"line {ROWS + below}" in said for below in (2, 3, 4, 5)] == [True, True, False, True]
    assert "Kosten is the mean of the rows above" in said


def test_a_sum_alone_is_a_note(tmp_path: Path) -> None:
    table = pd.DataFrame({"age": AGE, "cost": COST})
    table.loc[ROWS] = [AGE.sum(), COST.sum()]
    made = read(tmp_path, table.to_csv(index=False))
    (note,) = notes_of(made)
    assert f"line {ROWS + 2} (" in note
    assert "cost is the sum of the rows above" in note


@pytest.mark.parametrize(
    "row",
    [
        "10500;Wels;;;12,00;1.000,00",
        "10500;;;;;1.000,00",
        "10500;;;;;",
        "10500;Total;44;Frau;12,00;",
        "unbekannt;Graz;44;Frau;12,00;900,00",
        f"10500;Graz;44;Frau;12,00;{german(COST.mean())}",
        f"10500;Graz;44;Frau;;{german(COST.mean())}",
    ],
)
def test_a_last_row_of_the_data_with_missing_cells_is_read(tmp_path: Path, row: str) -> None:
    made = read(tmp_path, BODY + row + "\n")
    assert len(made) == ROWS + 1
    assert [note for note in notes_of(made) if "Total" not in note] == []


def test_a_word_for_a_total_that_is_a_value_of_the_column_is_no_sign(tmp_path: Path) -> None:
    rows = "".join(f"{'Total' if i % 9 == 0 else 'Graz'},{i % 5},{i}\n" for i in range(ROWS))
    assert not notes_of(read(tmp_path, f"town,a,b\n{rows}Total,3,90\n"))


def test_a_table_in_which_many_rows_are_nearly_empty_keeps_such_a_last_row(tmp_path: Path) -> None:
    rows = "".join(f"p{i},{'' if i % 20 == 7 else i % 5},{'' if i % 20 == 7 else i % 9}\n" for i in range(ROWS))
    assert not notes_of(read(tmp_path, f"id,a,b\n{rows}p99,,\n"))
