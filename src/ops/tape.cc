#include "ops/tape.h"

#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "ops/ops.h"

namespace paligemma {

void Tape::train(const Weight& tensor, View gradient) {
  if (gradient.rows != tensor.rows || gradient.cols != tensor.cols)
    fail(ErrorKind::failure, "shape", "training a tensor: expected a gradient (", tensor.rows, ", ", tensor.cols,
         "), got (", gradient.rows, ", ", gradient.cols, ")");
  trained_.insert({&tensor, {gradient, trained_.size()}});
}

void Tape::run_without(const Weight& tensor, const std::function<void()>& body) {
  auto taken = trained_.extract(&tensor);
  body();
  if (taken) trained_.insert(std::move(taken));
}

View Tape::tensor_gradient(const Weight* tensor) const {
  const auto found = trained_.find(tensor);
  return found == trained_.end() ? View{} : found->second.gradient;
}

std::uint64_t Tape::dropout_seed(const Weight& tensor) const {
  return splitmix64(dropout.seed, trained_.at(&tensor).number);
}

std::map<const float*, Tape::Value>::const_iterator Tape::find(ConstView value) const {
  auto found = values_.upper_bound(value.data);
  if (found == values_.begin()) return values_.end();
  --found;
  const Value& whole = found->second;
  const bool inside = value.data < found->first + whole.rows * whole.stride;
  return inside && found->first != hidden_ ? found : values_.end();
}

bool Tape::wants(ConstView value) const { return find(value) != values_.end(); }

void Tape::want(ConstView value) {
  if (value.data == hidden_) hidden_ = nullptr;
  if (value.rows == 0 || wants(value)) return;
  values_.insert({value.data, {value.rows, value.cols, value.stride, order_.size()}});
  order_.push_back(value.data);
}

Tape::Value& Tape::find_wanted(ConstView value) {
  const auto found = find(value);
  if (found == values_.end()) fail(ErrorKind::failure, "tape", "the gradient of a value that nothing wants it of");
  return values_.at(found->first);
}

Tape::Place Tape::place_of_gradient(ConstView value) {
  Value& whole = find_wanted(value);
  const bool all = value.rows == whole.rows && value.cols == whole.cols;
  if (whole.gradient.rows > 0 || !all) return {gradient(value), false};
  return {make_gradient(whole), true};
}

View Tape::new_gradient(ConstView value) {
  const Place place = place_of_gradient(value);
  if (!place.fresh) fail(ErrorKind::failure, "tape", "the gradient of a value that more than one op takes");
  return place.at;
}

View Tape::make_gradient(Value& whole) {
  if (whole.number < first_value_)
    fail(ErrorKind::failure, "tape", "a block's backward reached a value outside that is not its input");
  return whole.gradient = arena_.rows(whole.rows, whole.cols);
}

View Tape::gradient(ConstView value) {
  Value& whole = find_wanted(value);
  if (whole.gradient.rows == 0) backend_.zero(make_gradient(whole));
  const std::int64_t at = value.data - find(value)->first;
  return whole.gradient.row_range(at / whole.stride, value.rows).col_range(at % whole.stride, value.cols);
}

void Tape::forget_since(const Mark& mark) {
  nodes_.resize(mark.nodes);
  for (std::size_t i = mark.values; i < order_.size(); ++i) values_.erase(order_[i]);
  order_.resize(mark.values);
  arena_.restore(mark.arena);
}

void Tape::run_since(std::size_t node) {
  while (nodes_.size() > node) {
    const std::function<void()> backward = std::move(nodes_.back());
    nodes_.pop_back();
    backward();
  }
}

void Tape::run_backward() {
  run_since(0);
  for (const float* value : order_) values_.erase(value);
  order_.clear();
  keys_.clear();
}

void Tape::run_block(const Pass& pass, View x, const std::function<void(Pass&)>& body) {
  const Mark before = mark();
  const View input = keep_ == Keep::inputs ? arena_.rows(x.rows, x.cols) : View{};
  if (keep_ == Keep::inputs) backend_.copy(x, input);
  const Mark inside = mark();
  const bool wanted_before = wants(x);
  Pass first = pass;
  body(first);
  if (!wants(x)) return forget_since(before);

  if (keep_ == Keep::inputs) {
    forget_since(inside);
    want(x);
    Pass again = pass;
    again.tap = nullptr;
    record([this, again, x, input, body, wanted_before]() mutable {
      gradient(x);
      const Mark here = mark();
      const std::size_t outside = std::exchange(first_value_, order_.size());
      backend_.copy(input, x);
      if (!wanted_before) hidden_ = x.data;
      body(again);
      hidden_ = nullptr;
      run_since(here.nodes);
      forget_since(here);
      first_value_ = outside;
    });
    return;
  }
  std::vector<std::function<void()>> nodes(std::make_move_iterator(nodes_.begin() + std::ptrdiff_t(inside.nodes)),
                                           std::make_move_iterator(nodes_.end()));
  nodes_.resize(inside.nodes);
  record([this, x, nodes = std::move(nodes), first = inside.values]() mutable {
    gradient(x);
    const Arena::Mark here = arena_.mark();
    const std::size_t outside = std::exchange(first_value_, first);
    for (; !nodes.empty(); nodes.pop_back()) nodes.back()();
    for (std::size_t i = first; i < order_.size(); ++i) values_.erase(order_[i]);
    order_.resize(first);
    arena_.restore(here);
    first_value_ = outside;
  });
}

void run_block_on_tape(Pass& pass, View x, const std::function<void(Pass&)>& body) {
  pass.tape->run_block(pass, x, body);
}

void Tape::run_and_return(const std::function<void()>& body) {
  const Mark here = mark();
  body();
  run_since(here.nodes);
  forget_since(here);
}

const Tape::Keys* Tape::keys(const KvCache& cache, std::int64_t layer) const {
  const auto found = keys_.find({&cache, layer});
  return found == keys_.end() ? nullptr : &found->second;
}

}  // namespace paligemma
