// Comma-separated values after RFC 4180: fields in double quotes may hold commas, line ends and doubled quotes. Rows
// end in CRLF, LF or CR; a byte order mark in front, and rows without any character, are skipped.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace paligemma {

// A row and the line, from 1, that it begins on. The fields are valid during the call.
using CsvRow = std::function<void(std::size_t line, std::span<const std::string> fields)>;

// `where` names the text in messages. Throws Error{kind, "csv"} for a quote that nothing closes, and for text behind a
// closing quote.
void parse_csv(std::string_view text, std::string_view where, ErrorKind kind, char separator, const CsvRow& use);

}  // namespace paligemma
