// XML documents as trees, read by expat. Entities of a document's own are refused, so that no text grows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace paligemma {

struct XmlElement {
  std::string name;
  std::string text;  // directly inside it, without white space at both ends
  std::vector<XmlElement> children;

  const XmlElement* child(std::string_view child_name) const;  // the first of the name, or a null pointer
  // The text of that child; empty where there is none.
  std::string_view text_of(std::string_view child_name) const;
};

// The root element. Throws Error{kind, "xml"} that names `where` and the line.
XmlElement parse_xml(std::string_view text, std::string_view where, ErrorKind kind);

}  // namespace paligemma
