#include "data/pickle_machine.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

namespace paligemma {
namespace {

using Kind = PickleNode::Kind;

std::string opcode_name(char opcode) {
  constexpr std::string_view kCalls = "cRbio\x81\x92\x93QP\x82\x83\x84";
  if (kCalls.find(opcode) != kCalls.npos) return "an opcode that imports or calls something";
  return join("the opcode ", static_cast<int>(static_cast<unsigned char>(opcode)));
}

}  // namespace

bool PickleMachine::run() {
  while (!done_) {
    start_ = at_;
    const auto opcode = bytes(1);
    if (!opcode || !step(opcode->front())) return false;
  }
  return true;
}

bool PickleMachine::step(char opcode) {
  switch (opcode) {
    case '\x80': return bytes(1).has_value();  // the protocol: what follows says it all
    case '\x95': return bytes(8).has_value();  // the length of a frame
    case '.': done_ = true; return !stack_.empty() || refuse("no value");
    case '(': marks_.push_back(stack_.size()); return true;
    case '0':
      if (stack_.empty()) return refuse("an empty stack");
      stack_.pop_back();
      return marks_.empty() || marks_.back() <= stack_.size() || refuse("a mark without values");
    case '1': {
      const auto count = since_mark();
      if (count) stack_.resize(stack_.size() - *count);
      return count.has_value();
    }
    case '2':
      if (stack_.empty()) return refuse("an empty stack");
      stack_.push_back(stack_.back());
      return true;
    case 'N': return push_scalar(nullptr);
    case '\x88': return push_scalar(true);
    case '\x89': return push_scalar(false);
    default: return step_number(opcode);
  }
}

bool PickleMachine::step_number(char opcode) {
  switch (opcode) {
    case 'K':
    case 'M': {
      const auto value = unsigned_number(opcode == 'K' ? 1 : 2);
      return value && push_scalar(static_cast<std::int64_t>(*value));
    }
    case 'J': {
      const auto value = unsigned_number(4);
      return value && push_scalar(static_cast<std::int64_t>(static_cast<std::int32_t>(*value)));
    }
    case '\x8a':
    case '\x8b': {
      const auto size = unsigned_number(opcode == '\x8a' ? 1 : 4);
      return size && push_long(*size);
    }
    case 'G': {
      const auto raw = bytes(8);
      if (!raw) return false;
      std::uint64_t bits = 0;
      for (const char c : *raw) bits = bits << 8 | static_cast<unsigned char>(c);
      double value = 0;
      std::memcpy(&value, &bits, sizeof value);
      return std::isfinite(value) ? push_scalar(value) : refuse("a number that is not finite");
    }
    case 'I':
    case 'L':
    case 'F': {
      const auto text = line();
      if (text && opcode == 'I' && (*text == "00" || *text == "01")) return push_scalar(*text == "01");
      return text && push_decimal(*text);
    }
    default: return step_text(opcode);
  }
}

bool PickleMachine::step_text(char opcode) {
  switch (opcode) {
    case 'U':  // of Python 2
    case 'C':
    case '\x8c': return push_counted_text(1);
    case 'T':
    case 'B':
    case 'X': return push_counted_text(4);
    case '\x8d':
    case '\x8e': return push_counted_text(8);
    case 'S':
    case 'V': {
      const auto text = line();
      if (!text) return false;
      auto value = opcode == 'S' ? python_literal(*text) : raw_unicode(*text);
      return value ? push_scalar(std::move(*value)) : refuse("text with an unknown escape");
    }
    default: return step_container(opcode);
  }
}

bool PickleMachine::step_container(char opcode) {
  switch (opcode) {
    case ']':
    case ')': return push({.kind = Kind::list});
    case '}': return push({.kind = Kind::dict});
    case 'l':
    case 't':
    case 'd': {
      const auto count = since_mark();
      return count && collect(opcode == 'd' ? Kind::dict : Kind::list, *count);
    }
    case '\x85': return collect(Kind::list, 1);
    case '\x86': return collect(Kind::list, 2);
    case '\x87': return collect(Kind::list, 3);
    case 'a': return extend(Kind::list, 1);
    case 's': return extend(Kind::dict, 2);
    case 'e':
    case 'u': {
      const auto count = since_mark();
      return count && extend(opcode == 'u' ? Kind::dict : Kind::list, *count);
    }
    default: return step_memo(opcode);
  }
}

bool PickleMachine::step_memo(char opcode) {
  std::optional<std::uint64_t> place;
  switch (opcode) {
    case 'q':
    case 'h': place = unsigned_number(1); break;
    case 'r':
    case 'j': place = unsigned_number(4); break;
    case '\x94': place = memo_.size(); break;
    case 'p':
    case 'g': {
      const auto text = line();
      if (!text) return false;
      std::uint64_t value = 0;
      const auto read = std::from_chars(text->data(), text->data() + text->size(), value);
      if (read.ec != std::errc() || read.ptr != text->data() + text->size()) return refuse("no place in the memo");
      place = value;
      break;
    }
    default: return refuse(opcode_name(opcode));
  }
  if (!place) return false;
  if (opcode == 'h' || opcode == 'j' || opcode == 'g') {
    const auto at = memo_.find(*place);
    if (at == memo_.end()) return refuse("a place in the memo that holds nothing");
    stack_.push_back(at->second);
    return true;
  }
  if (stack_.empty()) return refuse("an empty stack");
  memo_[*place] = stack_.back();
  return true;
}

bool PickleMachine::refuse(std::string problem) {
  if (problem_.empty()) problem_ = std::move(problem);
  return false;
}

bool PickleMachine::push(PickleNode node) {
  stack_.push_back(heap_.size());
  heap_.push_back(std::move(node));
  return true;
}

bool PickleMachine::push_counted_text(int length_bytes) {
  const auto length = unsigned_number(length_bytes);
  const auto text = length ? bytes(*length) : std::nullopt;
  return text && push_scalar(python_text(*text));
}

// Little endian, two's complement.
bool PickleMachine::push_long(std::size_t size) {
  if (size > 8) return refuse("a number of more than 64 bits");
  const auto raw = bytes(size);
  if (!raw) return false;
  std::uint64_t value = size > 0 && (raw->back() & 0x80) != 0 ? ~std::uint64_t{0} : 0;
  for (std::size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>((*raw)[i]);
  return push_scalar(static_cast<std::int64_t>(value));
}

bool PickleMachine::push_decimal(std::string_view text) {
  if (text.ends_with('L')) text.remove_suffix(1);
  const char* end = text.data() + text.size();
  std::int64_t whole = 0;
  if (const auto read = std::from_chars(text.data(), end, whole); read.ec == std::errc() && read.ptr == end)
    return push_scalar(whole);
  double number = 0;
  if (const auto read = std::from_chars(text.data(), end, number);
      read.ec == std::errc() && read.ptr == end && std::isfinite(number))
    return push_scalar(number);
  return refuse("a line that is no number");
}

// The topmost `count` values become one.
bool PickleMachine::collect(Kind kind, std::size_t count) {
  if (count > stack_.size() || (!marks_.empty() && stack_.size() - count < marks_.back()))
    return refuse("too few values on the stack");
  if (kind == Kind::dict && count % 2 != 0) return refuse("a key without a value");
  PickleNode node{.kind = kind, .items = {stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end()}};
  stack_.resize(stack_.size() - count);
  return push(std::move(node));
}

// The topmost `count` values go into the container below them.
bool PickleMachine::extend(Kind kind, std::size_t count) {
  if (count >= stack_.size()) return refuse("too few values on the stack");
  if (kind == Kind::dict && count % 2 != 0) return refuse("a key without a value");
  PickleNode& container = heap_[*(stack_.end() - static_cast<std::ptrdiff_t>(count) - 1)];
  if (container.kind != kind) return refuse("values for something that holds none");
  container.items.insert(container.items.end(), stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
  stack_.resize(stack_.size() - count);
  return true;
}

std::optional<std::size_t> PickleMachine::since_mark() {
  if (marks_.empty() || marks_.back() > stack_.size()) return refuse("no mark"), std::nullopt;
  const std::size_t count = stack_.size() - marks_.back();
  marks_.pop_back();
  return count;
}

std::optional<std::uint64_t> PickleMachine::unsigned_number(int size) {
  const auto raw = bytes(static_cast<std::uint64_t>(size));
  if (!raw) return {};
  std::uint64_t value = 0;
  for (int i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>((*raw)[static_cast<std::size_t>(i)]);
  return value;
}

std::optional<std::string_view> PickleMachine::bytes(std::uint64_t count) {
  if (count > program_.size() - at_) return refuse("the end of the file"), std::nullopt;
  const std::string_view read = program_.substr(at_, count);
  at_ += count;
  return read;
}

std::optional<std::string_view> PickleMachine::line() {
  const std::size_t end = program_.find('\n', at_);
  if (end == program_.npos) return refuse("the end of the file"), std::nullopt;
  std::string_view text = program_.substr(at_, end - at_);
  at_ = end + 1;
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

}  // namespace paligemma
