// How much memory a call asks for. A test program that uses this has support/allocations.cc among its sources, which
// replaces operator new; what libraries written in C allocate is not seen.
#pragma once

#include <cstddef>
#include <functional>

namespace paligemma::test {

// The most bytes that were held or asked for at once during `call`, beyond what was held before.
std::size_t peak_bytes(const std::function<void()>& call);

}  // namespace paligemma::test
