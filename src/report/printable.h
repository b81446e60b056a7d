// Text and numbers of unknown origin in a form that a terminal, a line of text or a picture can show.
#pragma once

#include <string>
#include <string_view>

namespace paligemma {

// What the model wrote, and file names, with everything that could act on a terminal or break a line made visible:
//   \n \r \t                                   newline, carriage return, tab
//   \xHH                                       other ASCII controls, and bytes that are not UTF-8
//   \uHHHH                                     C1 controls, line and paragraph separators, bidirectional embeddings,
//                                              overrides and isolates, and U+FFFE and U+FFFF, which XML cannot hold
// The rest is kept, a backslash too (chemical formulas are full of them): this is for eyes, JSON is for programs.
// The result is valid UTF-8.
std::string printable(std::string_view text);

// The same for the text and the attributes of HTML and XML: & < > " as entities.
std::string printable_markup(std::string_view text);

// `value` with `decimals` digits after the point, in any locale.
std::string fixed(double value, int decimals);

// "34 s", "12 min", "3 h 05 min", "2 d 7 h": as exactly as people care.
std::string readable_time(double seconds);

}  // namespace paligemma
