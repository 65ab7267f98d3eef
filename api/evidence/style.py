"""How the pages look: A4 in black on white, so that a grey print loses nothing; in a browser one column."""

STYLE = """
@page { size: A4; margin: 13mm 14mm 16mm; @bottom-left { font: 7pt "DejaVu Sans"; color: #333 }
  @bottom-right { font: 7pt "DejaVu Sans"; color: #333 } }
html { font: 8.4pt/1.32 "DejaVu Sans", "Noto Sans", "Segoe UI", Roboto, Arial, sans-serif; color: #111;
  background: #fff }
body { margin: 0 auto; max-width: 182mm }
h1 { font-size: 16pt; line-height: 1.1; margin: 0 }
h2 { font-size: 9.6pt; margin: 2.4mm 0 0.8mm; border-bottom: 0.3mm solid #111; padding-bottom: 0.4mm;
  break-after: avoid }
p { margin: 0.8mm 0 }
ul { margin: 0.8mm 0; padding-left: 5mm }
header { overflow: hidden }
.subtitle { margin: 0.6mm 0 1.2mm }
.invented { font-weight: bold; border: 0.3mm solid #111; display: inline-block; padding: 0.4mm 1.6mm;
  margin: 0 0 1mm; font-size: 7.6pt }
.qr { float: right; margin: 0 0 0 4mm; text-align: center; width: 27mm }
.qr img { width: 27mm; height: 27mm; display: block }
figcaption, .note { font-size: 7pt; line-height: 1.25; color: #222 }
.conclusion { border: 0.5mm solid #111; padding: 1.2mm 2mm; margin: 1.6mm 0 0.8mm; font-size: 9pt }
.notice { font-size: 7.4pt }
figure { margin: 0 }
section { break-inside: avoid }
.side { display: flex; gap: 4mm; align-items: flex-start }
.side .half { flex: 1 1 0; min-width: 0 }
.half img { width: 100%; max-height: 99mm; object-fit: contain; display: block }
.wide img { width: 100%; display: block }
table { border-collapse: collapse; width: 100% }
th { text-align: left; font-weight: normal }
thead th { font-size: 7.2pt; font-weight: bold; vertical-align: bottom }
td, th { padding: 0.45mm 1.6mm 0.45mm 0; vertical-align: top }
tbody tr { border-bottom: 0.1mm solid #999 }
.figures td:last-child { padding-right: 0 }
.number { text-align: right }
.figures th[scope=row] { width: 38% }
.figures td { font-weight: bold }
.facts th { width: 38%; color: #222 }
header .facts { width: auto; font-size: 8pt }
header .facts th { width: auto; padding-right: 4mm }
header .facts tr { border: 0 }
header .facts td { font-weight: bold }
.inputs { font-size: 6.4pt }
.inputs td { overflow-wrap: anywhere; font-weight: normal }
.inputs td:last-child { font-family: "DejaVu Sans Mono", monospace; font-size: 5.6pt }
.proof { overflow-wrap: anywhere }
.blank { border: 0.4mm solid #111; padding: 0 2mm 1.4mm; margin-top: 2.4mm }
.blank h2 { border: 0 }
.blank p { white-space: pre-wrap; margin: 3mm 0 0 }
@media screen { body { padding: 4mm } html { font-size: 10.5pt } }
@media screen and (max-width: 700px) { .side { display: block } .inputs { display: block; overflow-x: auto } }
"""
