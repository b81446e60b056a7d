#include "contact_sheet.h"

#include <string_view>

#include "base/error.h"
#include "report/printable.h"

namespace paligemma {
namespace {

constexpr std::string_view kHead = R"(<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>paligemma demo</title>
<style>
body { font: 15px/1.4 sans-serif; margin: 2em; }
section { display: flex; flex-wrap: wrap; gap: 1em; margin-bottom: 2em; }
h2 { width: 100%; margin: 0; }
img { width: 320px; height: max-content; }
td { padding: 0 1em 0.2em 0; vertical-align: top; }
td:first-child { color: #666; }
</style>
<h1>paligemma demo</h1>
)";

}  // namespace

std::string contact_sheet(std::span<const SheetPicture> pictures) {
  std::string html(kHead);
  for (const SheetPicture& picture : pictures) {
    html += join("<section>\n<h2>", printable_markup(picture.title), "</h2>\n");
    for (const std::string& file : picture.files)
      html += join("<img src=\"", printable_markup(file), "\" alt=\"", printable_markup(picture.title), "\">\n");
    html += "<table>\n";
    for (const auto& [prompt, answer] : picture.answers)
      html += join("<tr><td>", printable_markup(prompt), "</td><td>", printable_markup(answer), "</td></tr>\n");
    html += "</table>\n</section>\n";
  }
  return html + "</html>\n";
}

}  // namespace paligemma
