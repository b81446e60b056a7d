#include "io/csv.h"

#include <vector>

namespace paligemma {
namespace {

class CsvReader {
 public:
  CsvReader(std::string_view text, char separator) : text_(text), separator_(separator) {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
  }

  // Nothing, or what is wrong with the row that begins on line().
  const char* next(std::vector<std::string>& fields) {
    line_ = next_line_;
    std::size_t count = 0;
    for (bool more = true; more; ++count) {
      if (fields.size() == count) fields.emplace_back();
      fields[count].clear();
      if (const char* problem = field(fields[count])) return problem;
      more = at_ < text_.size() && text_[at_] == separator_;
      if (more) ++at_;
    }
    fields.resize(count);
    end_line();
    return nullptr;
  }

  bool at_end() const { return at_ == text_.size(); }
  std::size_t line() const { return line_; }

 private:
  bool ends_field(char c) const { return c == separator_ || c == '\n' || c == '\r'; }

  const char* field(std::string& out) {
    if (at_ == text_.size() || text_[at_] != '"') {
      while (at_ < text_.size() && !ends_field(text_[at_])) out += text_[at_++];
      return nullptr;
    }
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"' && (++at_ == text_.size() || text_[at_] != '"'))
        return at_ == text_.size() || ends_field(text_[at_]) ? nullptr : "text behind a closing quote";
      if (text_[at_] == '\n') ++next_line_;
      out += text_[at_];
    }
    return "a quote that nothing closes";
  }

  void end_line() {
    if (at_ < text_.size() && text_[at_] == '\r') ++at_;
    if (at_ < text_.size() && text_[at_] == '\n') ++at_;
    ++next_line_;
  }

  std::string_view text_;
  char separator_;
  std::size_t at_ = 0, line_ = 1, next_line_ = 1;
};

}  // namespace

void parse_csv(std::string_view text, std::string_view where, ErrorKind kind, char separator, const CsvRow& use) {
  CsvReader reader(text, separator);
  std::vector<std::string> fields;
  while (!reader.at_end()) {
    if (const char* problem = reader.next(fields))
      fail(kind, "csv", "cannot read CSV: ", where, ": line ", reader.line(), ": expected rows of RFC 4180, got ",
           problem);
    if (fields.size() > 1 || !fields[0].empty()) use(reader.line(), fields);
  }
}

}  // namespace paligemma
