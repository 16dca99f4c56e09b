"""Run years of many wallets through the shipped rules, and say what was told and what should have been.

    python benchmarks/year.py [--seeds 1 2 3] [--days 365] [--only ACCOUNT ...] [--cases] [--write]

Each seed is another year. `--cases` lists what was not good; `--write` puts the figures into docs/reliability.md.
"""

import argparse
import os
import time
from collections.abc import Iterable

from measured import record

from tests.year.figures import Figures, figures, run
from tests.year.wallets import DAY
from tests.year.world import Year

COLUMNS = ("told", "missed", "late", "covered", "unreadable", "firings", "false", "needless", "repeated")
HEAD = """\
| year (seed) | times that somebody had to be told | missed | late | false (an account and year) | \
pages an account and year, for those due | runway wrong by, median | 90th percentile (of) |
| --- | --- | --- | --- | --- | --- | --- | --- |"""


def table(one: Figures) -> Iterable[str]:
    """Write what each alert came to, line by line."""
    yield f"{'':32}" + "".join(f"{name:>11}" for name in COLUMNS)
    for alert, count in sorted(one.counts.items()):
        yield f"{alert:32}" + "".join(f"{count[name]:>11}" for name in COLUMNS)


def row(one: Figures) -> str:
    """Return a year as a row of the document's table."""
    false = one.total("false")
    # Of some accounts alone there may have been nothing to tell, or no end to foresee.
    ratio = f" ({one.pages / one.due:.2f})" if one.due else ""
    wrong = (f"{one.median:.1%}", f"{one.ninetieth:.1%} ({one.ends})") if one.ends else ("", "(0)")
    cells = (
        one.seed,
        sum(one.total(name) for name in ("told", "covered", "missed", "late")),
        one.total("missed"),
        one.total("late"),
        f"{false} ({false / one.years:.2f})",
        f"{one.pages:.1f} for {one.due:.1f}{ratio}",
        *wrong,
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    """Run the years that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--days", type=int, default=365)
    names = sorted(account.name for account in Year(1, DAY).accounts())
    parser.add_argument(
        "--only", nargs="+", default=(), choices=names, metavar="ACCOUNT", help=f"of {', '.join(names)}"
    )
    parser.add_argument("--cases", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    rows = [HEAD]
    for seed in asked.seeds:
        began = time.monotonic()
        verdicts = run(seed, asked.days, asked.only, asked.processes)
        one = figures(seed, verdicts)
        print(
            f"seed {seed}: {one.accounts} accounts, {one.years:.1f} account years, {time.monotonic() - began:.0f} s"
        )
        print("\n".join(table(one)), flush=True)
        if asked.cases:
            print("\n".join(case for verdict in verdicts for case in verdict.cases))
        rows.append(row(one))
        print(rows[-1], flush=True)
    print("\n".join(rows))
    if asked.write:
        record("year", "\n".join([*rows, ""]))


if __name__ == "__main__":
    main()
