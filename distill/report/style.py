"""The style of the page: dark on white, on screen and on paper."""

STYLE = """
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem; background: #fff; color: #1a1a1a; line-height: 1.45;
  font-family: "Segoe UI", "Helvetica Neue", Arial, "Microsoft YaHei", "PingFang SC", "Noto Sans CJK SC",
    "WenQuanYi Micro Hei", sans-serif; }
h1 { font-size: 1.6rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid #bbb; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; }
dt { color: #555; }
dd { margin: 0; overflow-wrap: anywhere; }
.result { font-size: 1.25rem; font-weight: bold; }
.charts { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; }
svg { width: 480px; max-width: 100%; height: auto; font-family: inherit; }
table { border-collapse: collapse; font-size: .9rem; margin: .8rem 0; }
th, td { padding: .2rem .6rem; border-bottom: 1px solid #d9d9d9; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; }
thead th { border-bottom: 2px solid #777; overflow-wrap: normal; }
.numbers th + th, .numbers td + td, .texts th:last-child, .texts td:last-child { text-align: right;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
code { white-space: nowrap; }
.matrix { font-size: .75rem; }
.matrix th, .matrix td { padding: .15rem .2rem; border: 1px solid #d9d9d9; text-align: center; min-width: 1.1rem;
  font-weight: normal; overflow-wrap: normal; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
.matrix th:first-child { text-align: left; min-width: 6rem; max-width: 16rem; overflow-wrap: anywhere; }
@media print {
  @page { margin: 1.4cm; }
  body { max-width: none; margin: 0; padding: 0; font-size: 10pt; }
  h2, thead { break-after: avoid; }
  svg, tr { break-inside: avoid; }
  svg { width: 8.4cm; }
  .matrix { font-size: 6.5pt; }
  .matrix th, .matrix td { padding: 1px; min-width: .7rem; }
}
"""
"""CSS of the page; it names no file and no address."""
