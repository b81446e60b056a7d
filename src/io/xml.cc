#include "io/xml.h"

#include <expat.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

namespace paligemma {
namespace {

constexpr std::size_t kDeepest = 64;

void trim_xml(std::string& text) {
  constexpr std::string_view kSpace = " \t\r\n";
  text.erase(text.find_last_not_of(kSpace) + 1);
  text.erase(0, text.find_first_not_of(kSpace));
}

// The elements that are open, the root's frame outermost. Callbacks of a C library let no exception through.
struct XmlTree {
  std::vector<XmlElement> open{1};
  const char* problem = nullptr;
  XML_Parser parser = nullptr;

  template <class Call>
  void guard(const Call& call) noexcept {
    if (problem) return;
    try {
      call();
    } catch (const std::bad_alloc&) {
      problem = "more than fits in memory";
    }
    if (problem) XML_StopParser(parser, XML_FALSE);
  }
};

void on_start(void* data, const char* name, const char**) {
  auto& tree = *static_cast<XmlTree*>(data);
  tree.guard([&] {
    if (tree.open.size() > kDeepest) {
      tree.problem = "elements nested too deeply";
    } else {
      tree.open.push_back({.name = name});
    }
  });
}

void on_end(void* data, const char*) {
  auto& tree = *static_cast<XmlTree*>(data);
  tree.guard([&] {
    XmlElement done = std::move(tree.open.back());
    tree.open.pop_back();
    trim_xml(done.text);
    tree.open.back().children.push_back(std::move(done));
  });
}

void on_text(void* data, const char* text, int size) {
  auto& tree = *static_cast<XmlTree*>(data);
  tree.guard([&] { tree.open.back().text.append(text, static_cast<std::size_t>(size)); });
}

void on_entity(void* data, const char*, int, const char*, int, const char*, const char*, const char*, const char*) {
  auto& tree = *static_cast<XmlTree*>(data);
  tree.guard([&] { tree.problem = "an entity of its own"; });
}

}  // namespace

const XmlElement* XmlElement::child(std::string_view child_name) const {
  const auto at = std::ranges::find(children, child_name, &XmlElement::name);
  return at == children.end() ? nullptr : &*at;
}

std::string_view XmlElement::text_of(std::string_view child_name) const {
  const XmlElement* found = child(child_name);
  return found ? std::string_view(found->text) : std::string_view();
}

XmlElement parse_xml(std::string_view text, std::string_view where, ErrorKind kind) {
  const auto refuse = [&](std::size_t line, std::string_view problem) {
    fail(kind, "xml", "cannot read XML: ", where, ": line ", line, ": ", problem);
  };
  if (text.size() > std::size_t{std::numeric_limits<int>::max()}) refuse(1, "expected at most 2 GiB");
  const std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser(XML_ParserCreate(nullptr), XML_ParserFree);
  if (!parser) throw std::bad_alloc();
  XmlTree tree{.parser = parser.get()};
  XML_SetUserData(parser.get(), &tree);
  XML_SetElementHandler(parser.get(), on_start, on_end);
  XML_SetCharacterDataHandler(parser.get(), on_text);
  XML_SetEntityDeclHandler(parser.get(), on_entity);
  if (XML_Parse(parser.get(), text.data(), static_cast<int>(text.size()), XML_TRUE) != XML_STATUS_OK)
    refuse(XML_GetCurrentLineNumber(parser.get()), tree.problem
                                                       ? join("expected plain elements, got ", tree.problem)
                                                       : std::string(XML_ErrorString(XML_GetErrorCode(parser.get()))));
  return std::move(tree.open.front().children.front());
}

}  // namespace paligemma
