"""Words that people and programs write below a table: for a total or a mean, and before a remark."""

import re

_TOTALS = (  # noqa: SIM905 (a list takes 60 lines)
    "sum sums total totals subtotal mean average avg median summe gesamt gesamtsumme zwischensumme insgesamt "
    "mittelwert mittel durchschnitt schnitt somme moyenne totale totali somma media totaal gemiddelde som suma "
    "promedio soma média razem ogółem łącznie średnia summa totalt medelvärde gjennomsnitt gennemsnit yhteensä "
    "keskiarvo celkem součet průměr összesen összeg átlag toplam ortalama σύνολο итого всего сумма среднее "
    "усього разом 合計 合计 总计 總計 平均 小计 합계 총계 평균 المجموع"
).split()
_FIRST = ["grand", "overall", "sub", "all", "im", "over", "tổng"]
TOTAL = re.compile(rf"(?:(?:{'|'.join(_FIRST)})[\s-]+)?(?:{'|'.join(_TOTALS)})(?:[\s:.=()\d-]*| général| general)")
REMARK = re.compile(r"(?:source|sources|quelle|quellen|fuente|fonte|bron|źródło|notes?|hinweis|anmerkung|stand)\s*:.*")
