#include "train/run_report.h"

#include <gmock/gmock.h>

#include <cmath>

#include "support/scratch.h"

namespace paligemma::test {
namespace {

using testing::HasSubstr;
using testing::Not;

RunHistory short_run() {
  RunHistory history;
  for (int step = 1; step <= 40; ++step)
    history.steps.push_back({.step = step, .loss = 2.0 / step, .grad_norm = 1, .lr = 1e-5, .examples_per_s = 3});
  history.steps[20].skipped = true;
  history.steps[20].loss = NAN;
  history.evaluations.push_back({.step = 0, .metrics = {{"mAP50", 0.01}, {"loss", 3}}, .best = true});
  history.evaluations.push_back({.step = 20, .metrics = {{"mAP50", 0.4}, {"loss", 1}}, .best = true});
  history.evaluations.push_back({.step = 40, .metrics = {{"mAP50", 0.3}, {"loss", NAN}}});
  return history;
}

RunReport report_of(std::string hostile) {
  const std::string bytes = "abc";
  const auto picture = std::as_bytes(std::span(bytes));
  return {.title = "runs/" + hostile,
          .state = "state " + hostile,
          .facts = {{"fact " + hostile, hostile}},
          .samples = {{.prompt = "detect " + hostile,
                       .target = "<loc0001>" + hostile,
                       .before = hostile,
                       .after = "<loc0002>" + hostile,
                       .before_picture = {picture.begin(), picture.end()}}}};
}

TEST(RunReport, ShowsCurvesSamplesAndEvaluations) {
  const std::string html = report_html(report_of("cows"), short_run());
  for (const char* part :
       {"<title>runs/cows</title>", "training loss", "learning rate", "validation: mAP50", "validation: loss",
        "<dt>fact cows</dt><dd>cows</dd>", "src=\"data:image/jpeg;base64,YWJj\"", "&lt;loc0001&gt;cows",
        "1 of 40 steps were skipped", "prefers-color-scheme: dark", "width=device-width",
        "<tr class=\"best\"><td>20</td><td>0.4</td><td>1</td></tr>", "<td>40</td><td>0.3</td><td>none</td>"})
    EXPECT_THAT(html, HasSubstr(part));
}

// Nothing is fetched, nothing runs, and text is not markup.
TEST(RunReport, IsSelfContainedAndEscaped) {
  const std::string html = report_html(report_of("\"><script>alert(1)</script>&\n"), short_run());
  for (const char* part : {"<script", "http:", "https:", "<link", "@import", "url("})
    EXPECT_THAT(html, Not(HasSubstr(part)));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;"));
}

TEST(RunReport, OfARunThatHasDoneNothingIsAPage) {
  const std::string html = report_html({.title = "runs/new"}, {});
  EXPECT_THAT(html, HasSubstr("runs/new"));
  EXPECT_THAT(html, Not(HasSubstr("<svg")));
  EXPECT_TRUE(html.ends_with("</html>\n"));
}

TEST(RunReport, ReplacesTheFile) {
  const Scratch scratch;
  for (const char* title : {"first", "second"}) {
    write_report(scratch.path("report.html"), {.title = title}, short_run());
    EXPECT_THAT(scratch.read("report.html"), HasSubstr(title));
  }
  EXPECT_THAT(files_in(scratch.folder()), testing::ElementsAre("report.html"));
}

}  // namespace
}  // namespace paligemma::test
