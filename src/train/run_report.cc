#include "train/run_report.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "base/error.h"
#include "io/base64.h"
#include "io/file.h"
#include "report/printable.h"
#include "train/curve.h"

namespace paligemma {
namespace {

// Wide screens show two columns of curves, small ones one; letters keep their size.
constexpr std::string_view kStyle = R"css(
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --ink: #16191d; --soft: #5b6470; --line: #e1e5ea;
  --strong: #1f6feb; --faint: #9ec5fe; --good: #137333; }
@media (prefers-color-scheme: dark) { :root { --page: #0f1216; --card: #181c22; --ink: #e6e9ed; --soft: #9aa4b0;
  --line: #2b313a; --strong: #6cb0ff; --faint: #2f4a6d; --good: #6fd18b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1100px; padding: 16px; background: var(--page); color: var(--ink);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 22px; margin: 4px 0; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 26px 0 10px; }
h3 { font-size: 14px; margin: 0 0 6px; display: flex; justify-content: space-between; gap: 8px; }
h3 span, .state, dt, th, figcaption b, .target b { color: var(--soft); font-weight: 500; }
.state { margin: 0 0 14px; }
.grid { display: grid; gap: 12px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px; min-width: 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 14px; margin: 0; overflow-wrap: anywhere; }
dd { margin: 0; }
svg { display: block; width: 100%; height: auto; }
svg text { font-size: 11px; fill: var(--soft); }
svg path { fill: none; }
svg .grid { stroke: var(--line); }
svg .faint { stroke: var(--faint); stroke-width: 1; stroke-linejoin: round; }
svg .strong { stroke: var(--strong); stroke-width: 2; stroke-linejoin: round; }
svg .dot { fill: var(--strong); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
.best { color: var(--good); font-weight: 600; }
.samples { display: grid; gap: 12px; }
.pair { display: grid; gap: 12px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 280px), 1fr)); }
figure { margin: 0; min-width: 0; }
figure img { width: 100%; border-radius: 6px; display: block; }
code { font: 13px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap; }
.asked { margin: 0 0 8px; }
.target { margin: 8px 0 0; }
figcaption { margin-top: 6px; max-height: 11em; overflow: auto; }
)css";

std::string head_html(const RunReport& report) {
  const std::string title = printable_markup(report.title);
  return join("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>", title,
              "</title>\n<style>", kStyle, "</style>\n</head>\n<body>\n<h1>", title, "</h1>\n<p class=\"state\">",
              printable_markup(report.state), "</p>\n");
}

std::string facts_html(const RunReport& report) {
  if (report.facts.empty()) return {};
  std::string out = "<div class=\"card\"><dl>";
  for (const auto& [what, value] : report.facts)
    out += join("<dt>", printable_markup(what), "</dt><dd>", printable_markup(value), "</dd>");
  return out + "</dl></div>\n";
}

std::string curve_html(const Curve& curve, double latest) {
  return join("<div class=\"card\"><h3>", printable_markup(curve.title), "<span>", short_number(latest), "</span></h3>",
              curve_svg(curve), "</div>\n");
}

// A number of each step, as it is and smoothed where it jumps about.
template <class Value>
std::string steps_html(const std::string& title, const RunHistory& history, bool jumps, Value value) {
  std::vector<CurvePoint> points;
  for (const LoggedStep& step : history.steps)
    points.push_back({static_cast<double>(step.step), step.skipped ? NAN : value(step)});
  if (points.empty()) return {};
  if (!jumps) return curve_html({title, {{points, CurveLine::Look::strong}}}, points.back().y);
  constexpr double kShare = 50;  // smooth over this part of the run
  const auto smooth = smoothed(points, static_cast<double>(points.size()) / kShare);
  if (smooth.empty()) return {};
  return curve_html({title, {{points, CurveLine::Look::faint}, {smooth, CurveLine::Look::strong}}}, smooth.back().y);
}

// In the order in which they first come.
std::vector<std::string> metric_names(const RunHistory& history) {
  std::vector<std::string> names;
  for (const LoggedEvaluation& evaluation : history.evaluations)
    for (const auto& [name, value] : evaluation.metrics)
      if (std::ranges::count(names, name) == 0) names.push_back(name);
  return names;
}

double metric_of(const LoggedEvaluation& evaluation, const std::string& name) {
  for (const auto& [its, value] : evaluation.metrics)
    if (its == name) return value;
  return NAN;
}

std::string curves_html(const RunHistory& history, const std::vector<std::string>& metrics) {
  constexpr std::size_t kMostCurves = 6;  // of metrics; the table has all
  std::string out;
  for (std::size_t i = 0; i < std::min(metrics.size(), kMostCurves); ++i) {
    Curve curve{"validation: " + metrics[i], {{{}, CurveLine::Look::dotted}}};
    for (const LoggedEvaluation& evaluation : history.evaluations)
      curve.lines[0].points.push_back({static_cast<double>(evaluation.step), metric_of(evaluation, metrics[i])});
    out += curve_html(curve, curve.lines[0].points.back().y);
  }
  out += steps_html("training loss", history, true, [](const LoggedStep& step) { return step.loss; });
  out += steps_html("learning rate", history, false, [](const LoggedStep& step) { return step.lr; });
  out += steps_html("gradient norm", history, true, [](const LoggedStep& step) { return step.grad_norm; });
  out += steps_html("examples a second", history, true, [](const LoggedStep& step) { return step.examples_per_s; });
  return out.empty() ? out : "<h2>Curves</h2>\n<div class=\"grid\">\n" + out + "</div>\n";
}

std::string evaluations_html(const RunHistory& history, const std::vector<std::string>& metrics) {
  if (history.evaluations.empty()) return {};
  std::size_t best = history.evaluations.size();
  for (std::size_t i = 0; i < history.evaluations.size(); ++i)
    if (history.evaluations[i].best) best = i;
  std::string out =
      "<h2>Evaluations</h2>\n<p class=\"state\">The best one is marked.</p>\n<div class=\"card "
      "scroll\"><table><tr><th>step</th>";
  for (const std::string& name : metrics) out += join("<th>", printable_markup(name), "</th>");
  out += "</tr>\n";
  for (std::size_t i = history.evaluations.size(); i-- > 0;) {
    const LoggedEvaluation& evaluation = history.evaluations[i];
    out += join("<tr", i == best ? " class=\"best\"" : "", "><td>", evaluation.step, "</td>");
    for (const std::string& name : metrics) out += join("<td>", short_number(metric_of(evaluation, name)), "</td>");
    out += "</tr>\n";
  }
  return out + "</table></div>\n";
}

std::string figure_html(std::string_view when, std::span<const std::byte> picture, const std::string& text) {
  std::string out = "<figure>";
  if (!picture.empty()) out += join("<img alt=\"", when, "\" src=\"data:image/jpeg;base64,", base64(picture), "\">");
  return join(out, "<figcaption><b>", when, "</b> <code>", printable_markup(text), "</code></figcaption></figure>");
}

std::string samples_html(const RunReport& report) {
  if (report.samples.empty()) return {};
  std::string out = "<h2>Samples</h2>\n<div class=\"samples\">\n";
  for (const ReportSample& sample : report.samples)
    out +=
        join("<div class=\"card\"><p class=\"asked\"><code>", printable_markup(sample.prompt),
             "</code></p><div class=\"pair\">", figure_html("before", sample.before_picture, sample.before),
             figure_html("now", sample.after_picture, sample.after), "</div><p class=\"target\"><b>expected</b> <code>",
             printable_markup(sample.target), "</code></p></div>\n");
  return out + "</div>\n";
}

// Of all steps; empty when none was.
std::string skipped_html(const RunHistory& history) {
  const auto skipped = std::ranges::count_if(history.steps, [](const LoggedStep& step) { return step.skipped; });
  if (skipped == 0) return {};
  return join("<p class=\"state\">", skipped, " of ", history.steps.size(),
              " steps were skipped: loss or gradients were not finite.</p>\n");
}

}  // namespace

std::string report_html(const RunReport& report, const RunHistory& history) {
  const std::vector<std::string> metrics = metric_names(history);
  return head_html(report) + skipped_html(history) + facts_html(report) + curves_html(history, metrics) +
         samples_html(report) + evaluations_html(history, metrics) + "</body>\n</html>\n";
}

void write_report(const std::filesystem::path& path, const RunReport& report, const RunHistory& history) {
  const std::string html = report_html(report, history);
  write_file(path, std::as_bytes(std::span(html)), true);
}

}  // namespace paligemma
