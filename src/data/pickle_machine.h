// The stack machine that a pickle is a program for. It makes plain values only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/json.h"

namespace paligemma {

// A value. Lists and dicts hold places in the heap, since they may be referred to before they are complete.
struct PickleNode {
  enum class Kind { scalar, list, dict };
  Kind kind = Kind::scalar;
  Json scalar{};
  std::vector<std::size_t> items{};  // of a dict: key and value in turn
};
using PickleHeap = std::vector<PickleNode>;

class PickleMachine {
 public:
  explicit PickleMachine(std::span<const std::byte> program)
      : program_(reinterpret_cast<const char*>(program.data()), program.size()) {}

  // Runs up to the end. False where it cannot: at() and problem() say what is in the way.
  bool run();

  std::size_t at() const { return start_; }
  const std::string& problem() const { return problem_; }
  const PickleHeap& heap() const { return heap_; }
  std::size_t result() const { return stack_.back(); }

 private:
  // All give false, or nothing, after refuse().
  bool step(char opcode);
  bool step_text(char opcode);
  bool step_number(char opcode);
  bool step_container(char opcode);
  bool step_memo(char opcode);
  bool refuse(std::string problem);
  bool push(PickleNode node);
  bool push_scalar(Json value) { return push({.scalar = std::move(value)}); }
  bool push_counted_text(int length_bytes);
  bool push_long(std::size_t size);
  bool push_decimal(std::string_view line);
  bool collect(PickleNode::Kind kind, std::size_t count);
  bool extend(PickleNode::Kind kind, std::size_t count);
  std::optional<std::size_t> since_mark();
  std::optional<std::uint64_t> unsigned_number(int bytes);
  std::optional<std::string_view> bytes(std::uint64_t count);
  std::optional<std::string_view> line();

  std::string_view program_;
  std::size_t at_ = 0, start_ = 0;  // the next byte, and the opcode that is being run
  bool done_ = false;
  PickleHeap heap_;
  std::vector<std::size_t> stack_, marks_;
  std::map<std::uint64_t, std::size_t> memo_;
  std::string problem_;
};

// The text that a Python literal with quotes around it stands for ("'caf\\xe9'"); nothing for something else.
std::optional<std::string> python_literal(std::string_view literal);
// The same for raw-unicode-escape, which knows \u and \U only.
std::optional<std::string> raw_unicode(std::string_view text);
// UTF-8 as it is; other bytes as Latin-1.
std::string python_text(std::string_view bytes);

}  // namespace paligemma
